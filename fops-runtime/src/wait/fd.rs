//! Sleeping until a file descriptor is ready.
extern crate std;

use super::alarm::Alarm;
use super::event::WaitError;
use super::pauses;
use super::request::Request;
use super::sleepers;
use crate::abi::{Errno, PollEvents};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

pub(crate) fn system(error: io::Error) -> WaitError {
    WaitError::System(Errno::from(error))
}

/// Sleeps until `fd` is ready for `interest`, for hosts and for code that needs no device. `Ok(None)` after `timeout`.
///
/// An operation has [`Access::wait_fd`](crate::Access::wait_fd). This one wakes too when unplug begins of a device that the
/// thread is inside a section of.
///
/// # Errors
/// Those of `Access::wait_fd`.
pub fn wait_fd(
    fd: impl AsFd,
    interest: PollEvents,
    timeout: Option<Duration>,
) -> Result<Option<PollEvents>, WaitError> {
    wait_fd_or(fd.as_fd(), interest, timeout, None, || false)
}

/// Sleeps on `fd`, on `unplug` where unplug cannot find the thread, and on the request's own events.
pub(crate) fn wait_fd_or(
    fd: BorrowedFd<'_>,
    interest: PollEvents,
    timeout: Option<Duration>,
    unplug: Option<BorrowedFd<'_>>,
    is_unplugged: impl Fn() -> bool,
) -> Result<Option<PollEvents>, WaitError> {
    // A timeout beyond the end of time is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let request = Request::current();
    // Raised by whoever wakes the request from here on; what came before is looked at below.
    let alarm = Alarm::new(&request).map_err(system)?;
    let alarm = alarm.event();
    let _woken_by_unplug = sleepers::enlist(&request);
    // What is negative is passed over.
    let raw = |fd: Option<BorrowedFd<'_>>| fd.map_or(-1, |fd| fd.as_raw_fd());
    let mut fds = [
        pollfd(fd.as_raw_fd(), interest),
        pollfd(raw(unplug), PollEvents::IN),
        pollfd(alarm.as_fd().as_raw_fd(), PollEvents::IN),
    ];
    // The first look does not sleep: who finds the descriptor ready is not interrupted.
    let mut limit = Some(Duration::ZERO);
    loop {
        alarm.lower();
        if pauses::is_due() {
            pauses::park(&request);
            continue;
        }
        if is_unplugged() || sleepers::is_waited_for() {
            return Err(WaitError::Unplugged);
        }
        let interrupted = request.is_interrupted();
        poll(&mut fds, if interrupted { Some(Duration::ZERO) } else { limit }).map_err(system)?;
        if pauses::is_due() {
            continue;
        }
        // Unplug comes first here too: it may be what has made the descriptor ready.
        if is_unplugged() || sleepers::is_waited_for() {
            return Err(WaitError::Unplugged);
        }
        match fds[0].revents {
            0 => {}
            events if events & libc::POLLNVAL != 0 => return Err(WaitError::System(Errno::EBADF)),
            events => return Ok(Some(PollEvents::from_bits(u32::from(events as u16)))),
        }
        if interrupted {
            return Err(WaitError::Interrupted);
        }
        limit = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if limit == Some(Duration::ZERO) {
            return Ok(None);
        }
    }
}

fn pollfd(fd: RawFd, interest: PollEvents) -> libc::pollfd {
    // poll(2) has 16 bits; the others mean nothing to it.
    libc::pollfd { fd, events: interest.bits() as u16 as i16, revents: 0 }
}

/// Sleeps until one is ready, for at most `limit`. May return early.
fn poll(fds: &mut [libc::pollfd], limit: Option<Duration>) -> io::Result<()> {
    let limit = limit.map(|limit| libc::timespec {
        // Longer than anybody lives is for ever.
        tv_sec: limit.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: limit.subsec_nanos() as _,
    });
    let limit = limit.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the array has as many entries as is said, and it and the limit live while the call lasts.
    let ready = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, limit, core::ptr::null()) };
    if ready >= 0 {
        return Ok(());
    }
    // What they say of is from before.
    fds.iter_mut().for_each(|fd| fd.revents = 0);
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}
