//! Unplug as a file descriptor.
extern crate std;

use super::{Core, DeviceLifetime, OwnedAccess, Phase};
use crate::wait::EventFd;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

impl<R> DeviceLifetime<R> {
    /// A descriptor that becomes readable when unplug begins, and stays so: for loops that sleep in `poll(2)`,
    /// `epoll(7)` or io_uring on descriptors of their own.
    ///
    /// Made at the first call, closed with the lifetime. Do not read from it, nor write to it. A loop that finds it
    /// readable drops its access. Where the device is just to be left,
    /// [`Access::wait_fd`](crate::Access::wait_fd) does the whole. See `eventfd(2)`.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, op};
    /// use std::os::fd::AsRawFd;
    ///
    /// let lifetime = DeviceLifetime::new(());
    /// let readable = || {
    ///     let mut fd = libc::pollfd { fd: lifetime.unplug_fd().unwrap().as_raw_fd(), events: libc::POLLIN, revents: 0 };
    ///     unsafe { libc::poll(&mut fd, 1, 0) == 1 }
    /// };
    /// assert!(!readable());
    /// lifetime.begin_unplug(Cause::Unbind).unwrap().wait();
    /// assert!(readable());
    /// ```
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when too many files are open, `ENOMEM`; the next call tries again.
    pub fn unplug_fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.core.unplug_fd()
    }
}

impl<R> OwnedAccess<R> {
    pub(crate) fn unplug_fd(&self) -> io::Result<BorrowedFd<'_>> {
        self.lifetime().unplug_fd()
    }
}

impl Core {
    fn unplug_fd(&self) -> io::Result<BorrowedFd<'_>> {
        let mut cold = self.cold().lock();
        if cold.unplug_fd.is_none() {
            let event = EventFd::new()?;
            // Under the lock: who begins to unplug later sees the descriptor.
            if cold.phase != Phase::Plugged {
                event.raise();
            }
            cold.unplug_fd = Some(event);
        }
        let fd = cold.unplug_fd.as_ref().expect("just made").as_fd().as_raw_fd();
        // SAFETY: it is closed with the lifetime, and never replaced.
        Ok(unsafe { BorrowedFd::borrow_raw(fd) })
    }

    /// Makes the descriptor readable, if there is one.
    pub(super) fn raise_unplug_fd(&self) {
        if let Some(event) = &self.cold().lock().unplug_fd {
            event.raise();
        }
    }
}
