//! The kit's own steps that enter the driver: each on a thread of its own, since it may hang.
use crate::testkit::patience::Patience;
use crate::testkit::whereabouts::{self, Whereabouts};
use std::ops::Deref;
use std::sync::mpsc;
use std::thread;

/// Why a step has no result.
pub(super) enum Late {
    /// It hangs there.
    Hangs(Whereabouts),
    Panicked,
}

/// Runs `step` and waits for it. If it hangs, its thread is left behind.
pub(super) fn in_time<T: Send + 'static>(
    patience: Patience,
    step: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Late> {
    let (told, tid) = mpsc::channel();
    let thread = thread::Builder::new().name("testkit".into()).spawn(move || {
        let _ = told.send(whereabouts::here());
        step()
    });
    let Ok(thread) = thread else { return Err(Late::Panicked) };
    if patience.until(|| thread.is_finished()) {
        return thread.join().map_err(|_| Late::Panicked);
    }
    let tid = tid.try_recv().ok().flatten();
    Err(Late::Hangs(tid.map_or(Whereabouts::Unknown, whereabouts::of)))
}

/// Drops its value on a thread of its own: the driver's destructor may hang.
pub(super) struct Elsewhere<T: Send + 'static>(Option<T>);

impl<T: Send + 'static> Elsewhere<T> {
    pub(super) const fn new(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T: Send + 'static> Deref for Elsewhere<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("it is taken by `drop` alone")
    }
}

impl<T: Send + 'static> Drop for Elsewhere<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        let _ = thread::Builder::new().name("testkit".into()).spawn(move || drop(value));
    }
}
