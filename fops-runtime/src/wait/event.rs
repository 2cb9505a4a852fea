//! `wait_event` and its form that sleeps without a lock.
extern crate std;

use super::pauses;
use super::queue::WaitQueue;
use super::request::Request;
use super::sleepers;
use crate::abi::Errno;
use crate::gate::points::{self, Point};
use crate::platform;
use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

/// Why a wait ended without its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The device is being unplugged. Converts into `ENODEV`.
    Unplugged,
    /// A signal has come for the caller. Converts into `EINTR`.
    Interrupted,
    /// The system refused what the wait needs. Converts into that error.
    System(Errno),
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unplugged => f.write_str("the device is unplugged"),
            Self::System(errno) => write!(f, "cannot wait: {errno}"),
            Self::Interrupted => f.write_str("interrupted by a signal"),
        }
    }
}

impl core::error::Error for WaitError {}

impl From<WaitError> for Errno {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Unplugged => Self::ENODEV,
            WaitError::Interrupted => Self::EINTR,
            WaitError::System(errno) => errno,
        }
    }
}

impl WaitQueue {
    /// Sleeps until `condition` returns a value, for hosts and for code that needs no device. `Ok(None)` after
    /// `timeout`.
    ///
    /// # Errors
    /// [`WaitError::Unplugged`] when the thread is inside a section of a device, and that is being unplugged;
    /// [`WaitError::Interrupted`] when a signal came for the caller and the condition returned nothing.
    pub fn wait_event<T>(
        &self,
        timeout: Option<Duration>,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, WaitError> {
        // A timeout beyond the end of time is none.
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let wait = Wait { queue: self, is_unplugged: || false, deadline };
        wait.run(&mut (), |()| condition(), |(), sleep| sleep())
    }

    /// For models, which have no request of a thread's own.
    #[cfg(all(loom, test))]
    pub(crate) fn wait_as<T>(
        &self,
        request: &Arc<Request>,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, WaitError> {
        let wait = Wait { queue: self, is_unplugged: || false, deadline: None };
        wait.run_as(request, &mut (), |()| condition(), |(), sleep| sleep())
    }
}

/// Sleeps until `condition` returns a value, or `is_unplugged` says that the device goes which the wait is for.
///
/// The condition is given `lock`; `unlocked` lets go of it, runs what sleeps, and takes it again.
///
/// # Errors
/// As [`Access::wait_event`](crate::Access::wait_event).
pub(crate) fn wait_with<L, T>(
    queue: &WaitQueue,
    is_unplugged: impl Fn() -> bool,
    lock: &mut L,
    condition: impl FnMut(&mut L) -> Option<T>,
    unlocked: impl FnMut(&mut L, &mut dyn FnMut()),
) -> Result<T, WaitError> {
    let wait = Wait { queue, is_unplugged, deadline: None };
    // Without a deadline it ends with a value or an error.
    wait.run(lock, condition, unlocked).map(|value| value.expect("no deadline"))
}

/// One wait of one request.
struct Wait<'a, U> {
    queue: &'a WaitQueue,
    /// Whether the device that the wait is for is being unplugged.
    is_unplugged: U,
    deadline: Option<Instant>,
}

impl<U: Fn() -> bool> Wait<'_, U> {
    fn run<L, T>(
        &self,
        lock: &mut L,
        condition: impl FnMut(&mut L) -> Option<T>,
        unlocked: impl FnMut(&mut L, &mut dyn FnMut()),
    ) -> Result<Option<T>, WaitError> {
        self.run_as(&Request::current(), lock, condition, unlocked)
    }

    fn run_as<L, T>(
        &self,
        request: &Arc<Request>,
        lock: &mut L,
        mut condition: impl FnMut(&mut L) -> Option<T>,
        mut unlocked: impl FnMut(&mut L, &mut dyn FnMut()),
    ) -> Result<Option<T>, WaitError> {
        let _woken_by_queue = self.queue.enlist(request);
        let _woken_by_unplug = sleepers::enlist(request);
        loop {
            // Read before the condition is asked: a wake-up in between makes the sleep return at once.
            let seen = request.event();
            // Without the lock, which the hardware half of the pause may take.
            if platform::needed_step("look at pauses") && pauses::is_due() {
                unlocked(lock, &mut || pauses::park(request));
                continue;
            }
            if (self.is_unplugged)() || sleepers::is_waited_for() {
                return Err(WaitError::Unplugged);
            }
            if let Some(value) = condition(lock) {
                return Ok(Some(value));
            }
            if request.is_interrupted() {
                return Err(WaitError::Interrupted);
            }
            let left = self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return Ok(None);
            }
            unlocked(lock, &mut || {
                points::reach(Point::Sleeping);
                request.sleep(seen, left);
                points::reach(Point::Woken);
            });
        }
    }
}
