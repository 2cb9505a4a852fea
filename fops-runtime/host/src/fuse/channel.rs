//! The channel to the kernel: `/dev/fuse`, from which requests are read and to which replies are written.
use super::abi::*;
use fops_runtime::Errno;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd};
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Errno as Sys;
use std::io::IoSlice;
use std::mem::MaybeUninit;
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
    /// Close-on-exec, so that no child keeps it, and non-blocking, so that a reader can be told to end.
    fuse: OwnedFd,
    /// Readable once readers are to end.
    stop: OwnedFd,
}

/// What a reader waits with.
///
/// Each reader has an epoll instance of its own, which registers for exclusive wake-ups: a request wakes one.
pub(super) struct Waiter(OwnedFd);

/// What came of waiting for a request.
pub(super) enum Received {
    /// A request of so many bytes.
    Request(usize),
    /// Readers are to end.
    Stopped,
    /// The file system is unmounted.
    Closed,
}

const FUSE: u64 = 0;
const STOP: u64 = 1;

impl Channel {
    pub(super) fn new(fuse: OwnedFd) -> rustix::io::Result<Self> {
        rustix::io::fcntl_setfd(&fuse, rustix::io::FdFlags::CLOEXEC)?;
        let flags = rustix::fs::fcntl_getfl(&fuse)?;
        rustix::fs::fcntl_setfl(&fuse, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self { fuse, stop: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)? })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fuse.as_fd()
    }

    pub(super) fn waiter(&self) -> rustix::io::Result<Waiter> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let exclusive = epoll::EventFlags::IN | epoll::EventFlags::EXCLUSIVE;
        epoll::add(&epoll, &self.fuse, epoll::EventData::new_u64(FUSE), exclusive)?;
        epoll::add(&epoll, &self.stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        Ok(Waiter(epoll))
    }

    /// Waits for a request and reads it into `buf`.
    pub(super) fn receive(&self, waiter: &Waiter, buf: &mut [u8]) -> Received {
        loop {
            let mut events = [MaybeUninit::uninit(); 2];
            match epoll::wait(&waiter.0, &mut events, None) {
                Ok((ready, _)) if ready.iter().any(|event| event.data.u64() == STOP) => return Received::Stopped,
                Ok(_) => {}
                Err(Sys::INTR) => continue,
                Err(error) => {
                    tracing::error!("fuse: cannot wait for requests: {error}");
                    return Received::Closed;
                }
            }
            match rustix::io::read(&self.fuse, &mut *buf) {
                Ok(len) => return Received::Request(len),
                // Another reader was faster, or the request was interrupted before it was read.
                Err(Sys::AGAIN | Sys::INTR | Sys::NOENT) => {}
                Err(Sys::NODEV | Sys::CONNABORTED) => return Received::Closed,
                Err(error) => {
                    tracing::error!("fuse: cannot read a request: {error}");
                    return Received::Closed;
                }
            }
        }
    }

    /// Has every reader end, now and later, once the request it has is answered.
    pub(super) fn stop(&self) {
        // It can only be full, and then it is readable.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
    }
}

impl Kernel for Channel {
    fn reply(&self, bytes: &[u8]) {
        match rustix::io::write(&self.fuse, bytes) {
            // Nobody waits for it any more: an interrupted request, or an unmounted file system.
            Ok(_) | Err(Sys::NOENT | Sys::NODEV | Sys::CONNABORTED) => {}
            Err(error) => tracing::warn!("fuse: the kernel refuses a reply of {} bytes: {error}", bytes.len()),
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
            Err(error) => tracing::warn!("fuse: the kernel refuses notification {code}: {error}"),
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
            tracing::warn!("fuse: cannot close backing file {id}: {error}");
        }
    }
}
