//! What the core needs from its environment: atomics, a lock, sleeping on a word, a clock, the current thread.
//!
//! `bare`, `kernel`, `loom` or `std` is compiled in. All have the same functions, except that `bare` and `kernel` have none
//! for a thread's own slots. A model stands for a program with std, so `--cfg loom` needs the feature.
#[cfg(not(any(feature = "std", feature = "kernel")))]
mod bare;
#[cfg(any(loom, not(feature = "std")))]
mod inline;
#[cfg(feature = "kernel")]
mod kernel;
#[cfg(loom)]
#[cfg_attr(fops_shared, allow(dead_code, reason = "shared slots need nothing of a thread's own"))]
mod loom;
mod needed;
#[cfg_attr(loom, path = "loom/primitive.rs")]
mod primitive;
#[cfg(all(feature = "std", not(loom)))]
mod std;
pub(crate) mod without;

#[cfg(not(any(feature = "std", feature = "kernel")))]
pub(crate) use bare::*;
#[cfg(feature = "kernel")]
pub(crate) use kernel::*;
#[cfg(loom)]
pub(crate) use loom::*;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use std::*;

pub(crate) use needed::*;
#[cfg(not(feature = "kernel"))]
pub(crate) use primitive::repeat;
pub(crate) use primitive::{atomic, shared_static};

/// The place where a section passes a light fence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Enter,
    Exit,
}

/// A number for a device: never 0, never reused, and less than 2^63 as long as any process can live.
pub(crate) fn next_number() -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
    // Not an atomic of a model: it orders nothing.
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
