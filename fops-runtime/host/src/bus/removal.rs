//! A removal that is under way, on a thread of its own.
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Cause, Errno, Result, WaitQueue, catch_panic};
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

/// The removal of one device from its driver.
///
/// It goes on whether or not somebody waits for it: whoever wrote to `unbind` may be killed.
pub struct Removal {
    device: String,
    cause: Lock<Cause>,
    began: Instant,
    /// How long it took, once it is done.
    finished: Lock<Option<Result<Duration>>>,
    done: WaitQueue,
    /// What to do when it is done.
    then: Lock<Vec<Then>>,
    /// Until it is done: afterwards nothing here keeps the device alive.
    watched: Lock<Option<Arc<dyn Watched>>>,
    /// What the unplug has done.
    records: Lock<String>,
    /// The driver's code that it waits for, if that is not the device's unplug.
    code: Lock<Option<String>>,
}

/// Told how a removal has ended.
type Then = Box<dyn FnOnce(Result) + Send>;

/// A bus, to whoever may ask it to remove a device.
pub(crate) trait Removes: Send + Sync {
    /// As [`Bus::remove`](crate::Bus::remove).
    fn remove(self: Arc<Self>, device: &str, cause: Cause) -> Result<Arc<Removal>>;
}

/// What a removal is about.
pub(crate) trait Watched: Send + Sync {
    /// What it waits for, one a line.
    fn stragglers(&self) -> String;
    /// The device has gone in a worse way meanwhile.
    fn escalate(&self, cause: Cause);
}

impl Removal {
    pub(crate) fn new(device: &str, cause: Cause) -> Self {
        Self {
            device: device.into(),
            cause: Lock::new(cause),
            began: Instant::now(),
            finished: Lock::new(None),
            done: WaitQueue::new(),
            then: Lock::default(),
            watched: Lock::new(None),
            records: Lock::default(),
            code: Lock::new(None),
        }
    }

    /// The device's name on the bus.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Why it goes: the worst cause that anybody gave.
    pub fn cause(&self) -> Cause {
        *lock(&self.cause)
    }

    /// The removal is about this device from here on.
    pub(crate) fn watch_over(&self, watched: Arc<dyn Watched>) {
        *lock(&self.watched) = Some(watched);
    }

    pub(crate) fn escalate(&self, cause: Cause) {
        let worst = {
            let mut worst = lock(&self.cause);
            *worst = cause.max(*worst);
            *worst
        };
        let watched = lock(&self.watched).clone();
        if let Some(watched) = watched {
            watched.escalate(worst);
        }
    }

    /// It waits for this code of the driver's from here on, or for the device's unplug.
    pub(crate) fn waits_for(&self, code: Option<String>) {
        *lock(&self.code) = code;
    }

    /// What it waits for now, one a line: operations in flight, or code of the driver's own, such as its hooks, its `remove`,
    /// or a probe that is not over. Nothing once it is done.
    pub fn stragglers(&self) -> String {
        if let Some(code) = &*lock(&self.code) {
            return code.clone();
        }
        let watched = lock(&self.watched).clone();
        watched.map_or_else(String::new, |watched| watched.stragglers())
    }

    /// The device's unplug has done this.
    pub(crate) fn keep(&self, records: String) {
        for record in records.lines() {
            log!(info, "{}: {record}", self.device);
        }
        *lock(&self.records) = records;
    }

    /// What the device's unplug has done: a [`Record`](fops_runtime::Record) a line, for the device and for those that went
    /// with it. Empty before that, and where no driver was bound.
    pub fn records(&self) -> String {
        lock(&self.records).clone()
    }

    /// Waits until the device is torn down. Returns how long that took.
    ///
    /// # Errors
    /// `EINTR` when a signal came for the caller; the removal goes on. `ENODEV` when the caller is inside a section of
    /// the device, which the removal waits for, or when the device was unplugged by other means; `EIO` when the
    /// driver's `remove` panicked; `EDEADLK` when the removal was refused, and the device is as it was.
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

    pub(crate) fn finish(&self, result: Result) {
        let took = self.began.elapsed();
        self.waits_for(Some("the driver's state, which is dropped".into()));
        let watched = lock(&self.watched).take();
        // Not under the lock: the driver's state may go with it, and its destructors may panic.
        let _ = catch_panic(|| drop(watched));
        self.waits_for(None);
        *lock(&self.finished) = Some(result.map(|()| took));
        self.done.wake_all();
        let then = std::mem::take(&mut *lock(&self.then));
        for then in then {
            let _ = catch_panic(|| then(result));
        }
    }

    /// Has `then` run when the device is torn down, or now if it is: for callers that have no thread to wait on.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub(crate) fn when_done(&self, then: impl FnOnce(Result) + Send + 'static) {
        lock(&self.then).push(Box::new(then));
        // If it has finished meanwhile, either `finish` takes it or this does.
        if let Some(result) = self.finished() {
            let then = std::mem::take(&mut *lock(&self.then));
            for then in then {
                let _ = catch_panic(|| then(result.map(drop)));
            }
        }
    }

    fn finished(&self) -> Option<Result<Duration>> {
        *lock(&self.finished)
    }

    /// Says from time to time what the removal waits for, until it is done.
    pub(crate) fn watch(&self) {
        let mut limit = Duration::from_secs(1);
        while let Ok(None) = self.wait_for(limit) {
            let waited = self.began.elapsed().as_secs();
            let (device, cause) = (&self.device, self.cause());
            log!(warn, "{device}: {cause} has waited for {waited} s for\n{}", self.stragglers());
            limit = (limit * 2).min(Duration::from_secs(60));
        }
    }
}

impl fmt::Debug for Removal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Removal").field("device", &self.device).field("cause", &self.cause()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Lock<T>) -> MutexGuard<'_, T> {
    // Nothing panics under them.
    mutex.lock()
}
