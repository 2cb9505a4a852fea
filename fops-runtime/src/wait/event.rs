//! `wait_event` and its form that sleeps without a lock.
extern crate std;

use super::{Request, WaitQueue, sleepers};
use crate::{Access, Errno, Unplugged};
use core::fmt;
use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

/// Why a wait ended without its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
            Self::Unplugged => Unplugged.fmt(f),
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

impl<R> Access<'_, R> {
    /// Sleeps until `condition` returns a value, which it is asked for first and whenever `queue` is woken.
    ///
    /// No wake-up is lost: whoever changes what the condition looks at and then wakes the queue has the
    /// condition asked again. After `wait_event_interruptible()` in linux/wait.h. Do not hold a lock that the
    /// waker needs; `wait_event_locked` sleeps without the one it is given.
    ///
    /// # Errors
    /// [`WaitError::Unplugged`] once unplug has begun, of this device or of another one that the thread is inside a
    /// section of, whatever the condition would say;
    /// [`WaitError::Interrupted`] when a signal came for the caller and the condition returned nothing.
    pub fn wait_event<T>(&self, queue: &WaitQueue, mut condition: impl FnMut() -> Option<T>) -> Result<T, WaitError> {
        self.wait_with(queue, &mut (), |()| condition(), |(), sleep| sleep())
    }

    /// As [`wait_event`](Self::wait_event), with a lock held: the condition sees what the lock protects, and
    /// the lock is not held while the section sleeps. It is held again on return.
    ///
    /// As vb2's `wait_prepare` and `wait_finish`. For the guards of parking_lot and of any other `lock_api`
    /// mutex.
    ///
    /// ```
    /// use fops_runtime::{DeviceLifetime, WaitQueue, op};
    /// use parking_lot::Mutex;
    ///
    /// let (lifetime, queue, frames) = (DeviceLifetime::new(()), WaitQueue::new(), Mutex::new(vec![]));
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         frames.lock().push("frame");
    ///         queue.wake_all();
    ///     });
    ///     let access = lifetime.enter(op!("dqbuf")).unwrap();
    ///     let mut guard = frames.lock();
    ///     assert_eq!(access.wait_event_locked(&queue, &mut guard, |frames| frames.pop()), Ok("frame"));
    ///     assert!(guard.is_empty()); // still held
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`wait_event`](Self::wait_event).
    #[cfg(feature = "lock_api")]
    pub fn wait_event_locked<L: lock_api::RawMutex, D: ?Sized, T>(
        &self,
        queue: &WaitQueue,
        guard: &mut lock_api::MutexGuard<'_, L, D>,
        mut condition: impl FnMut(&mut D) -> Option<T>,
    ) -> Result<T, WaitError> {
        self.wait_with(
            queue,
            guard,
            |guard| condition(guard),
            |guard, sleep| lock_api::MutexGuard::unlocked(guard, sleep),
        )
    }

    fn wait_with<L, T>(
        &self,
        queue: &WaitQueue,
        lock: &mut L,
        condition: impl FnMut(&mut L) -> Option<T>,
        unlocked: impl FnMut(&mut L, &mut dyn FnMut()),
    ) -> Result<T, WaitError> {
        let wait = Wait { queue, unplugging: || self.is_unplugging(), deadline: None };
        // Without a deadline it ends with a value or an error.
        wait.run(lock, condition, unlocked).map(|value| value.expect("no deadline"))
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
        let wait = Wait { queue: self, unplugging: || false, deadline };
        wait.run(&mut (), |()| condition(), |(), sleep| sleep())
    }

    /// For models, which have no request of a thread's own.
    #[cfg(all(loom, test))]
    pub(crate) fn wait_as<T>(
        &self,
        request: &Arc<Request>,
        mut condition: impl FnMut() -> Option<T>,
    ) -> Result<Option<T>, WaitError> {
        let wait = Wait { queue: self, unplugging: || false, deadline: None };
        wait.run_as(request, &mut (), |()| condition(), |(), sleep| sleep())
    }
}

/// One wait of one request.
struct Wait<'a, U> {
    queue: &'a WaitQueue,
    /// Whether the device that the wait is for is being unplugged.
    unplugging: U,
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
            if (self.unplugging)() || sleepers::is_waited_for() {
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
            unlocked(lock, &mut || request.sleep(seen, left));
        }
    }
}
