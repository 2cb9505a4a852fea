//! The channel to the kernel: `/dev/fuse`, from which requests are read and to which replies are written.
use super::abi::*;
use crate::log::log;
use fops_runtime::Errno;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno as Sys;
use std::io::IoSlice;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use zerocopy::IntoBytes;

/// What the kernel is asked and told while requests are served. A trait, so that requests can be served without a
/// kernel.
pub(super) trait Kernel: Send + Sync {
    /// Sends a reply.
    fn reply(&self, bytes: &[u8]);

    /// Sends a notification: `code` and what comes with it.
    fn notify(&self, code: u32, parts: &[&[u8]]);

    /// Whether it still waits for what it asked. Once it does not, the callers of all requests have gone their way.
    fn is_waiting(&self) -> bool;

    /// Registers `file` as what opened files pass through to.
    fn backing_open(&self, file: BorrowedFd<'_>) -> Result<u32, Errno>;

    /// Takes back what [`backing_open`](Self::backing_open) registered.
    fn backing_close(&self, id: u32);
}

impl dyn Kernel {
    /// Has whoever sleeps in poll on the file with the kernel's handle `kh` ask again. Does not sleep.
    pub(super) fn notify_poll(&self, kh: u64) {
        self.notify(FUSE_NOTIFY_POLL, &[fuse_notify_poll_wakeup_out { kh }.as_bytes()]);
    }

    /// Puts `data` into the page cache of an inode. Sleeps while the kernel reads one of these pages.
    pub(super) fn notify_store(&self, nodeid: u64, offset: u64, data: &[u8]) {
        let args = fuse_notify_store_out { nodeid, offset, size: data.len() as u32, padding: 0 };
        self.notify(FUSE_NOTIFY_STORE, &[args.as_bytes(), data]);
    }
}

/// An open channel. When the last descriptor of it is closed, the kernel ends every request with an error.
pub(super) struct Channel {
    /// Close-on-exec, so that no child keeps it.
    fuse: OwnedFd,
    /// Readers are to end.
    stopped: AtomicBool,
}

/// What came of waiting for a request.
pub(super) enum Received {
    /// A request of so many bytes.
    Request(usize),
    /// Readers are to end.
    Stopped,
    /// The file system is unmounted.
    Closed,
}

impl Channel {
    pub(super) fn new(fuse: OwnedFd) -> rustix::io::Result<Self> {
        rustix::io::fcntl_setfd(&fuse, rustix::io::FdFlags::CLOEXEC)?;
        let flags = rustix::fs::fcntl_getfl(&fuse)?;
        rustix::fs::fcntl_setfl(&fuse, flags - rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self { fuse, stopped: AtomicBool::new(false) })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fuse.as_fd()
    }

    /// Waits for a request and reads it into `buf`.
    ///
    /// All readers sleep in `read(2)`: the kernel wakes one for each request, and a reader needs nothing else.
    pub(super) fn receive(&self, buf: &mut [u8]) -> Received {
        while !self.stopped.load(SeqCst) {
            match rustix::io::read(&self.fuse, &mut *buf) {
                Ok(len) => return Received::Request(len),
                // A signal, or the request was interrupted before it was read.
                Err(Sys::AGAIN | Sys::INTR | Sys::NOENT) => {}
                Err(Sys::NODEV | Sys::CONNABORTED) => return Received::Closed,
                Err(error) => {
                    log!(error, "fuse: cannot read a request: {error}");
                    return Received::Closed;
                }
            }
        }
        Received::Stopped
    }

    /// Has every reader end once it has answered the request that it has, or the next one if it sleeps.
    pub(super) fn stop(&self) {
        self.stopped.store(true, SeqCst);
    }
}

impl Kernel for Channel {
    fn reply(&self, bytes: &[u8]) {
        match rustix::io::write(&self.fuse, bytes) {
            // Nobody waits for it any more: an interrupted request, or an unmounted file system.
            Ok(_) | Err(Sys::NOENT | Sys::NODEV | Sys::CONNABORTED) => {}
            Err(error) => log!(warn, "fuse: the kernel refuses a reply of {} bytes: {error}", bytes.len()),
        }
    }

    fn notify(&self, code: u32, parts: &[&[u8]]) {
        let len = size_of::<fuse_out_header>() + parts.iter().map(|part| part.len()).sum::<usize>();
        let header = fuse_out_header { len: len as u32, error: code as i32, unique: 0 };
        let mut iov = vec![IoSlice::new(header.as_bytes())];
        iov.extend(parts.iter().map(|part| IoSlice::new(part)));
        match rustix::io::writev(&self.fuse, &iov) {
            // The kernel does not know the inode any more, or the file system is unmounted.
            Ok(_) | Err(Sys::NOENT | Sys::NODEV | Sys::CONNABORTED) => {}
            Err(error) => log!(warn, "fuse: the kernel refuses notification {code}: {error}"),
        }
    }

    fn is_waiting(&self) -> bool {
        // Before the kernel ends the requests of a connection, it marks the connection as broken.
        let mut fds = [PollFd::new(&self.fuse, PollFlags::empty())];
        let looked = loop {
            match rustix::event::poll(&mut fds, Some(&Timespec::default())) {
                Err(Sys::INTR) => {}
                result => break result,
            }
        };
        looked.is_ok() && !fds[0].revents().contains(PollFlags::ERR)
    }

    fn backing_open(&self, file: BorrowedFd<'_>) -> Result<u32, Errno> {
        backing_open(self.fd(), file).map_err(|error| Errno::from_raw(error.raw_os_error()))
    }

    fn backing_close(&self, id: u32) {
        if let Err(error) = backing_close(self.fd(), id) {
            log!(warn, "fuse: cannot close backing file {id}: {error}");
        }
    }
}
