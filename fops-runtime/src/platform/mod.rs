//! What the core asks of its surroundings: atomics, a lock, sleeping on a word, a clock, the current thread.
//!
//! One of the files beside this one is compiled in. All have the same functions, except that those without threads have
//! nothing of a thread's own. A model stands for a program with std: `loom` needs the feature.
#[cfg(not(feature = "std"))]
mod bare;
#[cfg(any(loom, not(feature = "std")))]
mod inline;
#[cfg(loom)]
#[cfg_attr(fops_shared, allow(dead_code, reason = "shared slots need nothing of a thread's own"))]
mod loom;
mod needed;
#[cfg_attr(loom, path = "loom/primitive.rs")]
mod primitive;
#[cfg(all(feature = "std", not(loom)))]
mod std;
pub(crate) mod without;

#[cfg(not(feature = "std"))]
pub(crate) use bare::*;
#[cfg(loom)]
pub(crate) use loom::*;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use std::*;

pub(crate) use needed::*;
pub(crate) use primitive::{atomic, repeat, shared_static};

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

/// Whether to take the step called `what`: always, unless a model shows what happens without it. See [`needed`].
#[cfg(loom)]
pub(crate) fn needed_step(what: &str) -> bool {
    !is_weak(what)
}

/// As above.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn needed_step(_: &str) -> bool {
    true
}
