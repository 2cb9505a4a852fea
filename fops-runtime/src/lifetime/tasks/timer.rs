//! Pauses between the calls of a wake hook, where no thread of the drain's own sleeps.
extern crate std;

use crate::gate::wakers::wake_tasks;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Arc, mpsc};

/// A thread that sleeps for a drain, and has its task polled afterwards. It ends with this.
pub(super) struct Timer {
    pauses: Option<mpsc::Sender<Duration>>,
    is_over: Arc<AtomicBool>,
}

impl Timer {
    /// A timer of the task that waits for `devices`. Where there can be no thread for it, each pause is over at once: the
    /// task goes on whenever a section ends.
    pub(super) fn new(devices: &[u64]) -> Self {
        let (pauses, sleeps) = mpsc::channel::<Duration>();
        let is_over = Arc::new(AtomicBool::new(true));
        let (over, device) = (is_over.clone(), devices.first().copied());
        let sleep = move || {
            for pause in sleeps {
                std::thread::sleep(pause);
                // Release, Acquire in `is_over`: what the task looks at next is no older than the end of the pause.
                over.store(true, Ordering::Release);
                device.into_iter().for_each(wake_tasks);
            }
        };
        let spawned = std::thread::Builder::new().name("unplug timer".into()).spawn(sleep);
        Self { pauses: spawned.is_ok().then_some(pauses), is_over }
    }

    pub(super) fn start(&self, pause: Duration) {
        if let Some(pauses) = &self.pauses {
            self.is_over.store(false, Ordering::Relaxed);
            let _ = pauses.send(pause);
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}
