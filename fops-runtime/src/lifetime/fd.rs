//! Unplug as a file descriptor, and sleeping until one is ready.
extern crate std;

use super::access::Access;
use super::device_lifetime::DeviceLifetime;
use super::owned::OwnedAccess;
use super::state::{Core, Phase};
use super::unplug_fd::UnplugFd;
use crate::abi::PollEvents;
use crate::wait::{self, EventFd, WaitError};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

impl<R> DeviceLifetime<R> {
    /// A descriptor that becomes readable when unplug begins, and stays so: for loops that sleep in `poll(2)`,
    /// `epoll(7)` or io_uring on descriptors of their own.
    ///
    /// Made at the first call, closed with the lifetime. Do not read from it, nor write to it. A forked child that unplugs
    /// by itself calls this again, and gets a descriptor of its own: that of its parent says what the parent does. A loop that finds it
    /// readable drops its access. Where the device is just to be left,
    /// [`Access::wait_fd`](crate::Access::wait_fd) does the whole. See `eventfd(2)`.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    /// use fops_runtime::op::op;
    /// use std::os::fd::AsRawFd;
    ///
    /// let lifetime = DeviceLifetime::new(());
    /// let readable = || {
    ///     let mut fd = libc::pollfd { fd: lifetime.unplug_fd().unwrap().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    ///     unsafe { libc::poll(&mut fd, 1, 0) == 1 }
    /// };
    /// assert!(!readable());
    /// lifetime.alone().unplug(Cause::Unbind).unwrap();
    /// assert!(readable());
    /// ```
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when too many files are open, `ENOMEM`; the next call tries again.
    pub fn unplug_fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.core.unplug_fd()
    }
}

impl<R> Access<'_, R> {
    /// Sleeps until `fd` is ready for one of `interest`, has failed or is hung up, for at most `timeout`; `Ok(None)` when
    /// that is over. `None` for a timeout is for ever.
    ///
    /// What most sleeps of a driver in user space are: `poll(2)`, then a `recv` that does not block. A thread that is
    /// interrupted by a signal sleeps on; that the *caller* has got one is what the host says.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, PollEvents, Unplug, WaitError};
    /// use fops_runtime::op::op;
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// let lifetime = DeviceLifetime::new(UnixDatagram::pair().unwrap());
    /// std::thread::scope(|s| {
    ///     let access = lifetime.enter(op!("recv")).unwrap();
    ///     let (ours, theirs) = &*access;
    ///     theirs.send(b"frame").unwrap();
    ///     assert_eq!(access.wait_fd(ours, PollEvents::IN, None), Ok(Some(PollEvents::IN)));
    ///     assert_eq!(ours.recv(&mut [0; 16]).unwrap(), 5);
    ///     s.spawn(|| drop(lifetime.alone().unplug(Cause::Unbind).unwrap()));
    ///     assert_eq!(access.wait_fd(ours, PollEvents::IN, None), Err(WaitError::Unplugged));
    /// });
    /// ```
    ///
    /// A call that sleeps itself, inside a library, is ended by a
    /// [cancellation](Self::with_cancellation) that shuts its socket down:
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    /// use fops_runtime::op::op;
    /// use std::io::Read;
    /// use std::net::Shutdown;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (device, _peer) = UnixStream::pair().unwrap();
    /// let lifetime = DeviceLifetime::new(device);
    /// std::thread::scope(|s| {
    ///     let access = lifetime.enter(op!("read")).unwrap();
    ///     s.spawn(|| drop(lifetime.alone().unplug(Cause::Unbind).unwrap()));
    ///     let (socket, mut stream): (&UnixStream, &UnixStream) = (&access, &access);
    ///     let shut_down = || drop(socket.shutdown(Shutdown::Both));
    ///     let read = access.with_cancellation(shut_down, || stream.read(&mut [0; 16]));
    ///     assert_eq!(read.unwrap(), 0); // the end of the stream: shut down before or during the call
    ///     assert!(access.is_unplugged());
    /// });
    /// ```
    ///
    /// # Errors
    /// [`WaitError::Unplugged`] once unplug has begun, of this device or of another one that the thread is inside a
    /// section of, whether or not `fd` is ready; [`WaitError::Interrupted`] when a signal came for the caller and `fd`
    /// is not ready; [`WaitError::System`] with `EBADF` where `fd` is not open, `EMFILE` or `ENFILE` where there are too
    /// many files for one more.
    pub fn wait_fd(
        &self,
        fd: impl AsFd,
        interest: PollEvents,
        timeout: Option<Duration>,
    ) -> Result<Option<PollEvents>, WaitError> {
        // Unplug finds the thread by its section, and wakes it through its request.
        wait::wait_fd_or(fd.as_fd(), interest, timeout, None, || self.is_unplugged())
    }
}

impl<R> OwnedAccess<R> {
    /// As [`Access::wait_fd`], on whatever thread the access is by now.
    ///
    /// # Errors
    /// As [`Access::wait_fd`].
    pub fn wait_fd(
        &self,
        fd: impl AsFd,
        interest: PollEvents,
        timeout: Option<Duration>,
    ) -> Result<Option<PollEvents>, WaitError> {
        let unplug = self.lifetime().unplug_fd().map_err(wait::system)?;
        wait::wait_fd_or(fd.as_fd(), interest, timeout, Some(unplug), || self.is_unplugged())
    }
}

impl Core {
    fn unplug_fd(&self) -> io::Result<BorrowedFd<'_>> {
        let mut cold = self.cold().lock();
        if !cold.unplug_fd.as_ref().is_some_and(UnplugFd::is_own) {
            let event = EventFd::new()?;
            // Under the lock: who begins to unplug later sees the descriptor.
            if cold.phase != Phase::Plugged {
                event.raise();
            }
            // That of the parent stays open: the thread that forked may have borrowed it.
            core::mem::forget(cold.unplug_fd.replace(UnplugFd::new(event)));
        }
        let fd = cold.unplug_fd.as_ref().expect("just made").event.as_fd().as_raw_fd();
        // SAFETY: it is closed with the lifetime, and not before.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Makes the descriptor readable, if there is one.
    pub(super) fn raise_unplug_fd(&self) {
        let cold = self.cold().lock();
        if let Some(fd) = cold.unplug_fd.as_ref().filter(|fd| fd.is_own()) {
            fd.event.raise();
        }
    }
}
