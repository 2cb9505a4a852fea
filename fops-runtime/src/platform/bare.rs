//! Without anything: no allocator, no clock, no threads to speak of. Sleeping is spinning.
pub(crate) use super::inline::Lazy;

use core::cell::UnsafeCell;
use core::fmt;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use core::time::Duration;

/// There is no clock.
#[derive(Clone, Copy)]
pub(crate) enum Instant {}

pub(crate) fn now() -> Option<Instant> {
    None
}

pub(crate) fn elapsed(since: Instant) -> Duration {
    match since {}
}

/// A spinlock.
#[derive(Default)]
pub(crate) struct Lock<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the guard alone, which `taken` gives to one thread at a time.
unsafe impl<T: Send> Sync for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { taken: AtomicBool::new(false), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        // Acquire pairs with the release in `LockGuard::drop`: what the last holder wrote is seen.
        while self.taken.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            core::hint::spin_loop();
        }
        LockGuard(self, core::marker::PhantomData)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Not `Sync` by itself: `&T` may be less than `T: Send` allows.
pub(crate) struct LockGuard<'a, T>(&'a Lock<T>, core::marker::PhantomData<*mut T>);

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one, by `taken`.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one, by `taken`.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Spins while `word` is `expected`; with a timeout, for some time in proportion to it.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let mut rounds = timeout.map(|timeout| timeout.as_micros());
    while word.load(Ordering::SeqCst) == expected {
        if let Some(rounds) = &mut rounds {
            let Some(left) = rounds.checked_sub(1) else { return };
            *rounds = left;
        }
        core::hint::spin_loop();
    }
}

/// Nobody sleeps.
pub(crate) fn wake_all(_word: &AtomicU32) {}

/// Runs `f`. A panic in it is the end of the program: nothing can catch it here, and what it unwound through would be
/// left half done, as an unplug that never ends.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Option<T> {
    struct Abort;
    impl Drop for Abort {
        fn drop(&mut self) {
            // A panic while a panic unwinds aborts.
            panic!("a driver's code panicked under the runtime, which cannot catch that without `std`");
        }
    }
    let abort = Abort;
    let value = f();
    core::mem::forget(abort);
    Some(value)
}

/// There is nowhere to write to.
pub(crate) fn log_error(_message: fmt::Arguments<'_>) {}

/// Nothing forks here.
pub(crate) const fn forks() -> u64 {
    0
}

/// Threads cannot be told apart: 0. Unplug from inside a section hangs here instead of failing.
pub(crate) fn thread_id() -> u64 {
    0
}

pub(crate) fn fmt_thread(_id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("unknown")
}
