//! Slots that all threads share: where threads cannot be told apart, and nothing can be allocated.
use super::Section;
use super::entry::{Entry, FREE};
use crate::Op;
use core::sync::atomic;
use core::sync::atomic::Ordering::{AcqRel, Acquire, SeqCst};

/// Claimed, but not yet by a device that a walk should wait for. No device has this number.
const CLAIMED: u64 = u64::MAX;

/// There are no more: what finds none free is counted by its gate.
static SLOTS: [Entry; 64] = [const { Entry::new() }; 64];

/// Where a section stands: a slot; or it is only counted, where there was none.
pub(super) type Place = Option<&'static Entry>;

/// Puts a section into a free slot, if there is one.
pub(super) fn open(tag: u64, op: &'static Op) -> Place {
    let free = |entry: &&Entry| entry.device.compare_exchange(FREE, CLAIMED, AcqRel, Acquire).is_ok();
    let entry = SLOTS.iter().find(free)?;
    entry.open(tag, op);
    Some(entry)
}

/// All slots.
pub(super) fn entries() -> impl Iterator<Item = &'static Entry> {
    SLOTS.iter()
}

/// The sections of `device`, in one walk.
pub(super) fn sections(device: u64) -> impl Iterator<Item = Section> {
    entries().filter_map(move |entry| {
        let (op, owned) = entry.section_of(device)?;
        Some(Section { op, thread: 0, owned })
    })
}

/// Both sides pass a sequentially consistent fence.
pub(super) mod fence {
    use super::{SeqCst, atomic};
    use crate::platform::Edge;

    /// [`light`] is a real fence: there is no other kind.
    pub(in crate::gate) const fn is_symmetric() -> bool {
        false
    }

    pub(in crate::gate) fn light(_: Edge) {
        atomic::fence(SeqCst);
    }

    pub(in crate::gate) fn light_symmetric(_: Edge) {}

    pub(in crate::gate) fn heavy() -> bool {
        atomic::fence(SeqCst);
        true
    }
}
