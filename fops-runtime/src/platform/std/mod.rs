//! With the standard library.
extern crate std;

#[cfg_attr(target_os = "linux", path = "membarrier.rs")]
#[cfg_attr(not(target_os = "linux"), path = "no_membarrier.rs")]
mod fence;
mod fork;
mod log;
#[cfg_attr(target_os = "linux", path = "futex.rs")]
#[cfg_attr(not(target_os = "linux"), path = "buckets.rs")]
mod sleep;
mod threads;

pub(crate) use fence::heavy_fence;
pub(crate) use fork::{AtFork, forks};
#[cfg(feature = "tracing")]
pub(crate) use log::trace_later;
pub(crate) use log::{flush_log, log_error, log_later};
pub(crate) use sleep::{expect_sleepers, wait, wake_all};
pub(crate) use std::time::Instant;
pub(crate) use threads::{at_thread_exit, fmt_thread, is_thread_ending, own_block, set_slots, spot, thread_id};

use core::sync::atomic::{AtomicU8, Ordering, compiler_fence};
use core::time::Duration;
use std::boxed::Box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The light fence of the asymmetric pair: the compiler keeps the order, and the heavy fence makes the hardware keep
/// it.
#[inline(always)]
pub(crate) fn edge_fence(_: super::Edge) {
    compiler_fence(Ordering::SeqCst);
}

const UNDECIDED: u8 = 0;
const ASYMMETRIC: u8 = 1;
const SYMMETRIC: u8 = 2;

/// The pair of fences that the process uses.
static KIND: AtomicU8 = AtomicU8::new(UNDECIDED);

/// Whether the process uses the asymmetric pair of fences. The first call decides.
pub(crate) fn has_heavy_fence() -> bool {
    // Acquire pairs with the release below: the process was registered before. No model sees this, since it is the
    // system that registers.
    let mut kind = KIND.load(Ordering::Acquire);
    if kind == UNDECIDED {
        let wish = if fence::register_heavy_fence() { ASYMMETRIC } else { SYMMETRIC };
        // The first thread decides for all.
        kind = match KIND.compare_exchange(UNDECIDED, wish, Ordering::Release, Ordering::Acquire) {
            Ok(_) => wish,
            Err(decided) => decided,
        };
    }
    kind == ASYMMETRIC
}

pub(crate) fn now() -> Option<Instant> {
    Some(Instant::now())
}

pub(crate) fn elapsed(since: Instant) -> Duration {
    since.elapsed()
}

/// A lock for short sections. A panic under it leaves it usable: nothing of the crate panics there.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value that most devices never need. It is allocated at its first use.
pub(crate) struct Lazy<T>(OnceLock<Box<T>>);

impl<T: Default> Lazy<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    pub(crate) fn get(&self) -> &T {
        self.0.get_or_init(Box::default)
    }

    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.get_mut().map(Box::as_mut)
    }
}

/// Runs `f`; `None` when it panicked.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Option<T> {
    // What a hook leaves half done is the driver's own; nothing of the crate's is touched inside.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // What was thrown may itself throw when it is dropped; then it is left alone.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                core::mem::forget(again);
            }
            None
        }
    }
}
