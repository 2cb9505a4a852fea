//! Sleeping until a file descriptor is ready.
extern crate std;

use super::{Request, WaitError, sleepers};
use crate::{Access, Errno, OwnedAccess, PollEvents};
use core::time::Duration;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

impl<R> Access<'_, R> {
    /// Sleeps until `fd` is ready for one of `interest`, has failed or is hung up, for at most `timeout`; `Ok(None)` when
    /// that is over. `None` for a timeout is for ever.
    ///
    /// What most sleeps of a driver in user space are: `poll(2)`, then a `recv` that does not block. A thread that is
    /// interrupted by a signal sleeps on; that the *caller* has got one is what the host says.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, PollEvents, WaitError, op};
    /// use std::os::unix::net::UnixDatagram;
    ///
    /// let lifetime = DeviceLifetime::new(UnixDatagram::pair().unwrap());
    /// std::thread::scope(|s| {
    ///     let access = lifetime.enter(op!("recv")).unwrap();
    ///     let (ours, theirs) = &*access;
    ///     theirs.send(b"frame").unwrap();
    ///     assert_eq!(access.wait_fd(ours, PollEvents::IN, None), Ok(Some(PollEvents::IN)));
    ///     assert_eq!(ours.recv(&mut [0; 16]).unwrap(), 5);
    ///     s.spawn(|| drop(lifetime.begin_unplug(Cause::Unbind).unwrap().wait()));
    ///     assert_eq!(access.wait_fd(ours, PollEvents::IN, None), Err(WaitError::Unplugged));
    /// });
    /// ```
    ///
    /// A call that sleeps itself, inside a library, is ended by a
    /// [cancellation](Self::with_cancellation) that shuts its socket down:
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, op};
    /// use std::io::Read;
    /// use std::net::Shutdown;
    /// use std::os::unix::net::UnixStream;
    ///
    /// let (device, _peer) = UnixStream::pair().unwrap();
    /// let lifetime = DeviceLifetime::new(device);
    /// std::thread::scope(|s| {
    ///     let access = lifetime.enter(op!("read")).unwrap();
    ///     s.spawn(|| drop(lifetime.begin_unplug(Cause::Unbind).unwrap().wait()));
    ///     let (socket, mut stream): (&UnixStream, &UnixStream) = (&access, &access);
    ///     let shut_down = || drop(socket.shutdown(Shutdown::Both));
    ///     let read = access.with_cancellation(shut_down, || stream.read(&mut [0; 16]));
    ///     assert_eq!(read.unwrap(), 0); // the end of the stream: shut down before or during the call
    ///     assert!(access.is_unplugging());
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
        wait(fd.as_fd(), interest, timeout, None, || self.is_unplugging())
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
        let unplug = self.unplug_fd().map_err(system)?;
        wait(fd.as_fd(), interest, timeout, Some(unplug), || self.is_unplugging())
    }
}

fn system(error: io::Error) -> WaitError {
    WaitError::System(Errno::from(error))
}

/// Sleeps on `fd`, on `unplug` where unplug cannot find the thread, and on the request's own events.
fn wait(
    fd: BorrowedFd<'_>,
    interest: PollEvents,
    timeout: Option<Duration>,
    unplug: Option<BorrowedFd<'_>>,
    is_unplugging: impl Fn() -> bool,
) -> Result<Option<PollEvents>, WaitError> {
    // A timeout beyond the end of time is none.
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let request = Request::current();
    // Raised by whoever wakes the request from here on; what came before is looked at below.
    let alarm = request.alarm().map_err(system)?;
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
        if is_unplugging() || sleepers::is_waited_for() {
            return Err(WaitError::Unplugged);
        }
        let interrupted = request.is_interrupted();
        poll(&mut fds, if interrupted { Some(Duration::ZERO) } else { limit }).map_err(system)?;
        // Unplug comes first here too: it may be what has made the descriptor ready.
        if is_unplugging() || sleepers::is_waited_for() {
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
