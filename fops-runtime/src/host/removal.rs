//! A removal that is under way, on a thread of its own.
use crate::{Cause, Errno, Result, WaitQueue};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The removal of one device from its driver.
///
/// It goes on whether or not somebody waits for it: whoever wrote to `unbind` may be killed.
pub struct Removal {
    device: String,
    cause: Cause,
    began: Instant,
    /// How long it took, once it is done.
    finished: Mutex<Option<Result<Duration>>>,
    done: WaitQueue,
    stragglers: Box<dyn Fn() -> String + Send + Sync>,
}

impl Removal {
    pub(super) fn new(device: &str, cause: Cause, stragglers: Box<dyn Fn() -> String + Send + Sync>) -> Self {
        Self {
            device: device.into(),
            cause,
            began: Instant::now(),
            finished: Mutex::new(None),
            done: WaitQueue::new(),
            stragglers,
        }
    }

    /// The device's name on the bus.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Why it goes.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// What it waits for now, one a line: operations in flight, or the driver's own hooks.
    pub fn stragglers(&self) -> String {
        (self.stragglers)()
    }

    /// Waits until the device is torn down. Returns how long that took.
    ///
    /// # Errors
    /// `EINTR` when a signal came for the caller; the removal goes on.
    pub fn wait(&self) -> Result<Duration> {
        self.done.wait_event(None, || self.finished())?.ok_or(Errno::EIO)?
    }

    /// Waits for at most `limit`; `None` when the device is not torn down by then.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn wait_for(&self, limit: Duration) -> Result<Option<Duration>> {
        self.done.wait_event(Some(limit), || self.finished())?.transpose()
    }

    pub(super) fn finish(&self, result: Result) {
        let took = self.began.elapsed();
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner) = Some(result.map(|()| took));
        self.done.wake_all();
    }

    fn finished(&self) -> Option<Result<Duration>> {
        *self.finished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says from time to time what the removal waits for, until it is done.
    pub(super) fn watch(&self) {
        let mut limit = Duration::from_secs(1);
        while let Ok(None) = self.wait_for(limit) {
            let waited = self.began.elapsed().as_secs();
            tracing::warn!("{}: {} waits for {waited} s for\n{}", self.device, self.cause, self.stragglers());
            limit = (limit * 2).min(Duration::from_secs(60));
        }
    }
}

impl fmt::Debug for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removal").field("device", &self.device).field("cause", &self.cause).finish_non_exhaustive()
    }
}
