//! All threads share the slots. This needs neither an allocator nor a way to tell threads apart.
//!
//! # Why it is right
//! As for slots of a thread's own: a section writes to a slot, passes a fence and looks at the flag; unplug sets the
//! flag, passes a fence and looks at the slots. Both fences are sequentially consistent, so one of the two looks sees
//! the other's write. If no slot is free, the gate's own counter takes the place of the slot.
use super::entry::{Entry, FREE};
use super::{FenceKind, Section};
use crate::op::Op;
use crate::platform::atomic::AtomicUsize;
use crate::platform::atomic::Ordering::{AcqRel, Acquire, SeqCst};
use crate::platform::{self, Edge, needed};

/// Reserved, but a walk need not wait for it yet. No device has this number.
const CLAIMED: u64 = u64::MAX;

/// The number of slots. Models use few.
const COUNT: usize = if cfg!(loom) { 2 } else { 64 };

platform::shared_static! {
    /// All slots there are. If none is free, the gate counts the section instead.
    static SLOTS: [Entry; COUNT] = platform::repeat!(Entry::new(); COUNT);
}

/// The sections of a gate that found no free slot. They have no name.
pub(in crate::gate) struct Tally(AtomicUsize);

impl Tally {
    pub(in crate::gate) fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    pub(in crate::gate) fn unnamed(&self) -> usize {
        // Acquire pairs with the release in `clear`: all that the section did comes before all that unplug does next.
        self.0.load(needed("acquire of a count", SeqCst))
    }
}

/// The slot of one section. `None` if the gate only counts the section.
#[must_use = "the section stays open until the slot is cleared"]
pub(crate) struct Slot(Option<&'static Entry>);

#[cfg(feature = "tracing")]
impl Slot {
    /// A number that no other open section has. `None` if the gate only counts the section.
    pub(crate) fn key(&self) -> Option<usize> {
        self.0.map(|entry| core::ptr::from_ref(entry).addr())
    }
}

impl Entry {
    /// Reserves the slot if it is free.
    fn claim(&self) -> bool {
        // Acquire: another thread may have ended the last section. All that the section did comes before the next write
        // to this slot, and so before an unplug that reads that write.
        self.device.compare_exchange(FREE, CLAIMED, needed("acquire of a free slot", AcqRel), Acquire).is_ok()
    }
}

/// Puts a section into a free slot, or counts it if there is none.
pub(in crate::gate) fn open(tally: &Tally, tag: u64, op: &'static Op) -> Slot {
    let Some(entry) = SLOTS.iter().find(|entry| entry.claim()) else {
        // No model needs the order here: the light fence that follows has it, as for a slot.
        tally.0.fetch_add(1, SeqCst);
        return Slot(None);
    };
    entry.open(tag, op);
    Slot(Some(entry))
}

/// Ends the section.
pub(in crate::gate) fn clear(tally: &Tally, slot: Slot) {
    let Some(entry) = slot.0 else {
        // Release: if unplug sees this, all that the section did came before. Every write to the counter is such an
        // exchange, so all of them are one release sequence, and the last section's write vouches for the others.
        tally.0.fetch_sub(1, needed("release of a count", SeqCst));
        return;
    };
    entry.clear();
}

/// All slots.
pub(in crate::gate) fn entries() -> impl Iterator<Item = &'static Entry> {
    SLOTS.iter()
}

/// The sections of the devices that are meant, in one walk.
pub(in crate::gate) fn sections(is_meant: impl Fn(u64) -> bool) -> impl Iterator<Item = Section> {
    entries().filter_map(move |entry| entry.section_of(&is_meant, || 0))
}

/// Nothing tells whose a section is.
pub(in crate::gate) fn is_inside(_: impl Fn(u64) -> bool) -> bool {
    false
}

/// Nothing tells whose a section is, so a pause waits for those of sleepers too.
#[cfg(all(feature = "std", fops_shared))]
pub(in crate::gate) const fn set_parked(_parked: bool) {}

/// There is no other pair.
pub(in crate::gate) const fn fence_kind() -> FenceKind {
    FenceKind::Symmetric
}

/// Whether [`light`] is not enough. It is a real fence.
pub(in crate::gate) const fn is_symmetric() -> bool {
    false
}

/// The fence between the write to a slot and the look at a flag, and between the clearing of a slot and the look at a
/// flag.
pub(in crate::gate) fn light(edge: Edge) {
    platform::needed_fence(match edge {
        Edge::Enter => "fence at enter",
        Edge::Exit => "fence at exit",
    });
}

/// [`light`] is enough.
pub(in crate::gate) const fn light_symmetric(_: Edge) {}

/// The fence between the write to a flag and the look at the slots. Nothing refuses it.
#[must_use = "without the fence, nothing may be freed"]
pub(in crate::gate) fn heavy() -> bool {
    platform::needed_fence("heavy fence");
    true
}
