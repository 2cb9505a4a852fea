//! What the hardware does meanwhile.
use crate::testkit::whereabouts::{self, Whereabouts};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

/// What the hardware does.
pub(super) type Disturb<H> = Arc<dyn Fn(&H) + Send + Sync>;

/// A thread that disturbs the device until this is dropped.
pub(super) struct Disturber {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    ends: AtomicBool,
    times: AtomicUsize,
    thread: AtomicU32,
}

impl Disturber {
    pub(super) fn start<H: Send + Sync + 'static>(disturb: Disturb<H>, hardware: Arc<H>) -> Self {
        let shared = Arc::<Shared>::default();
        let this = Self { shared: shared.clone() };
        let work = move || {
            shared.thread.store(whereabouts::here().unwrap_or(0), SeqCst);
            while !shared.ends.load(SeqCst) {
                // A panic of the hardware's has been printed.
                let _ = catch_unwind(AssertUnwindSafe(|| disturb(&hardware)));
                shared.times.fetch_add(1, SeqCst);
                thread::sleep(Duration::from_micros(500));
            }
        };
        let _ = thread::Builder::new().name("disturber".into()).spawn(work);
        this
    }

    /// Where its thread is.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        whereabouts::of(self.shared.thread.load(SeqCst))
    }

    /// How often it has disturbed the device.
    pub(super) fn times(&self) -> usize {
        self.shared.times.load(SeqCst)
    }
}

impl Drop for Disturber {
    fn drop(&mut self) {
        // Not waited for: it may sleep in the driver.
        self.shared.ends.store(true, SeqCst);
    }
}
