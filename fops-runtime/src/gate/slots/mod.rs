//! The slots that hold the sections, and the two fences between slots and flags.
//!
//! A backend provides both. All backends have the functions listed below. This file alone chooses one:
//!
//! * `local`: each thread has its own slots, and the fences are asymmetric. It needs std.
//! * `shared`: all threads share the slots, and both fences are real. It is for the core alone, and for models with
//!   `--cfg fops_shared`.
//! * `percpu`: each CPU has its own slots, and the fences are asymmetric. It is for the kernel.
mod entry;
#[cfg(all(feature = "std", not(fops_shared)))]
mod local;
#[cfg(feature = "kernel")]
mod percpu;
// Tests run both that are for user space.
#[cfg(any(not(any(feature = "std", feature = "kernel")), fops_shared, all(test, not(loom))))]
mod shared;
#[cfg(all(test, feature = "std", not(any(loom, fops_shared))))]
mod tests;

#[cfg(all(feature = "std", not(fops_shared)))]
use local as backend;
#[cfg(feature = "kernel")]
use percpu as backend;
#[cfg(any(not(any(feature = "std", feature = "kernel")), fops_shared))]
use shared as backend;

use crate::op::Op;

// What every backend has:
// - `Slot`: the slot of one section. `Tally`: the backend's own part of each gate.
// - `open` and `clear` begin and end a section. `entries` walks all slots, `sections` those of some devices. `is_inside`
//   tells whether the current thread has one of those. `set_parked` says of them all that the thread sleeps (std only).
// - `light` is a section's fence. If `is_symmetric`, it also passes `light_symmetric`. `heavy` is unplug's fence.
// - `fence_kind`: the name of that pair of fences.
pub(crate) use backend::Slot;
#[cfg(feature = "std")]
pub(super) use backend::set_parked;
pub(super) use backend::{
    Tally, clear, entries, fence_kind, heavy, is_inside, is_symmetric, light, light_symmetric, open, sections,
};
pub(super) use entry::{number, tag};

/// The pair of fences that this process uses. It is chosen once, before the first section opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FenceKind {
    /// Sections pass a compiler's fence. Unplug makes all threads pass a real one, with Linux's `membarrier(2)`, or with
    /// `synchronize_rcu_expedited()` in the kernel.
    Asymmetric,
    /// Sections and unplug both pass a sequentially consistent fence.
    Symmetric,
}

/// A section in flight.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) device: u64,
    pub(crate) op: &'static Op,
    /// The thread that opened it.
    pub(crate) thread: u64,
    /// Another thread may have it by now.
    pub(crate) owned: bool,
    /// The thread sleeps until a pause is over.
    #[cfg_attr(not(feature = "std"), expect(dead_code, reason = "nothing pauses there"))]
    pub(crate) parked: bool,
}
