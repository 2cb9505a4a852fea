//! Slots of each CPU's own, for the Linux kernel. The C shim has them, because per-CPU data and preemption are C macros.
//!
//! # Why it is right
//! A section writes to a slot of its CPU and looks at the flag. Unplug sets the flag, waits for an RCU grace period and
//! looks at the slots of all CPUs. The write to the slot is made without preemption, so it is an RCU reader. For each
//! reader, a grace period promises one of two things:
//!
//! * The reader ended before the grace period did. Then unplug sees the slot.
//! * The reader began after the grace period did. Then it sees the flag, and so does every later look of its thread.
//!
//! The same holds for the end of a section. Its write is a reader too, so either unplug sees the free slot, or the section
//! sees the flag and signals.
//!
//! A CPU's slots are claimed by the tasks on that CPU alone, and without preemption, so no atomic instruction is needed.
//! A task that has migrated may clear a slot of another CPU. A section in an interrupt is counted, as is a section that
//! finds no slot. Slots never run out unless memory does: the shim chains more blocks to a CPU.
use super::entry::Entry;
use super::{FenceKind, Section};
use crate::op::Op;
use crate::platform::atomic::{AtomicU64, AtomicUsize, Ordering, compiler_fence};
use crate::platform::{self, Edge};

/// `struct fops_slot`.
#[repr(C)]
pub(in crate::gate) struct Named {
    entry: Entry,
    /// The task that opened the section, by its pid.
    thread: AtomicU64,
}

/// How many slots a block has: `FOPS_SLOTS`.
const SLOTS: usize = 8;

/// `struct fops_block`.
#[repr(C)]
struct Block {
    slots: [Named; SLOTS],
    next: *const Block,
}

#[allow(improper_ctypes, reason = "the shim keeps a pointer to an operation, and does not look into it")]
unsafe extern "C" {
    /// The slot where the section stands, or null if it is counted in `tally`.
    fn fops_k_open(tag: u64, op: *const Op, tally: *const AtomicUsize) -> *const Named;
    /// Ends the section in the slot, or one that is counted.
    fn fops_k_clear(slot: *const Named, tally: *const AtomicUsize);
    /// The first block of a CPU. Null if there is no such CPU.
    safe fn fops_k_blocks(cpu: u32) -> *const Block;
    /// The block behind `block`, or null.
    fn fops_k_next(block: *const Block) -> *const Block;
    safe fn fops_k_cpus() -> u32;
    safe fn fops_k_fence();
    /// Blocks stay while there is a gate.
    safe fn fops_k_gate_get();
    safe fn fops_k_gate_put();
}

/// The sections of a gate that are only counted. They have no name.
///
/// # Invariants
/// The shim counts each tally, and frees no block meanwhile.
pub(in crate::gate) struct Tally(AtomicUsize);

impl Tally {
    pub(in crate::gate) fn new() -> Self {
        // INVARIANT: until the drop.
        fops_k_gate_get();
        Self(AtomicUsize::new(0))
    }

    pub(in crate::gate) fn unnamed(&self) -> usize {
        // Acquire pairs with the atomic decrement in the shim, which is a full barrier.
        self.0.load(Ordering::Acquire)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        fops_k_gate_put();
    }
}

/// Where a section stands. `None` if it is only counted.
#[must_use = "the section stays open until the slot is cleared"]
pub(crate) struct Slot(Option<&'static Named>);

/// Puts a section into a free slot of this CPU.
#[inline(always)]
pub(in crate::gate) fn open(tally: &Tally, tag: u64, op: &'static Op) -> Slot {
    // SAFETY: the tally is there for the call, and the operation for ever. A slot stays as long as the tally, by the
    // invariant, and a section ends before its gate.
    Slot(unsafe { fops_k_open(tag, op, &tally.0).as_ref() })
}

/// Ends the section.
#[inline(always)]
pub(in crate::gate) fn clear(tally: &Tally, slot: Slot) {
    let slot = slot.0.map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: the section stands in this slot, or is counted in this tally.
    unsafe { fops_k_clear(slot, &tally.0) }
}

/// A walk over the slots of all CPUs, also of those that are offline: their sections may go on elsewhere.
///
/// # Invariants
/// `block` is null or a block.
struct Walk {
    /// The CPU that comes next.
    cpu: u32,
    block: *const Block,
    /// The slot of the block that comes next.
    at: usize,
}

impl Walk {
    const fn new() -> Self {
        Self { cpu: 0, block: core::ptr::null(), at: 0 }
    }
}

impl Iterator for Walk {
    type Item = &'static Named;

    fn next(&mut self) -> Option<&'static Named> {
        loop {
            // SAFETY: by the invariant. Whoever walks has a gate, so blocks stay.
            if let Some(block) = unsafe { self.block.as_ref() } {
                if let Some(slot) = block.slots.get(self.at) {
                    self.at += 1;
                    return Some(slot);
                }
                // SAFETY: as above.
                self.block = unsafe { fops_k_next(self.block) };
            } else if self.cpu < fops_k_cpus() {
                self.block = fops_k_blocks(self.cpu);
                self.cpu += 1;
            } else {
                return None;
            }
            self.at = 0;
        }
    }
}

/// All slots.
pub(in crate::gate) fn entries() -> impl Iterator<Item = &'static Entry> {
    Walk::new().map(|slot| &slot.entry)
}

/// The sections of the devices that are meant, in one walk.
pub(in crate::gate) fn sections(is_meant: impl Fn(u64) -> bool) -> impl Iterator<Item = Section> {
    Walk::new().filter_map(move |slot| {
        let section = slot.entry.section_of(&is_meant)?;
        // Relaxed: written before the release that `section_of` has read, unless another section took the slot since.
        Some(Section { thread: slot.thread.load(Ordering::Relaxed), ..section })
    })
}

/// Whether this task is inside a section of a device that is meant, other than an owned one.
pub(in crate::gate) fn is_inside(is_meant: impl Fn(u64) -> bool) -> bool {
    let here = platform::thread_id();
    // Relaxed: this task has written it.
    let is_own = |slot: &&Named| slot.thread.load(Ordering::Relaxed) == here;
    here != 0 && Walk::new().filter(is_own).any(|slot| slot.entry.is_bound(&is_meant))
}

/// There is no other pair.
pub(in crate::gate) const fn fence_kind() -> FenceKind {
    FenceKind::Asymmetric
}

/// Whether [`light`] is not enough. It always is.
pub(in crate::gate) const fn is_symmetric() -> bool {
    false
}

/// For the compiler alone: the look at the flag stays behind the call of the shim.
#[inline(always)]
pub(in crate::gate) fn light(_: Edge) {
    compiler_fence(Ordering::SeqCst);
}

/// [`light`] is enough.
pub(in crate::gate) const fn light_symmetric(_: Edge) {}

/// `synchronize_rcu_expedited()`. Nothing refuses it.
#[must_use = "without the fence, nothing may be freed"]
pub(in crate::gate) fn heavy() -> bool {
    fops_k_fence();
    true
}
