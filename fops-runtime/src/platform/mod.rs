//! What the core asks of its surroundings: atomics, a lock, sleeping on a word, a clock, the current thread.
//!
//! One of the files beside this one is compiled in; all have the same functions, but that those without threads have
//! nothing of a thread's own.
#[cfg(not(any(feature = "std", loom)))]
mod bare;
#[cfg(loom)]
mod loom;
#[cfg(all(feature = "std", not(loom)))]
mod std;

#[cfg(not(any(feature = "std", loom)))]
pub(crate) use bare::*;
#[cfg(loom)]
pub(crate) use loom::*;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use std::*;

/// Where a section passes a light fence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Enter,
    Exit,
}

/// Numbers for devices: never 0, never reused, and less than 2^63 in any life of a process.
pub(crate) fn next_number() -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
    // Not a model's: it orders nothing.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}
