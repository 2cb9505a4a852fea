//! One slot.
use super::Section;
use crate::op::Op;
use crate::platform::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::platform::needed;
#[cfg(not(feature = "kernel"))]
use core::ptr;

/// The slot holds no section.
pub(super) const FREE: u64 = 0;

/// A slot: it holds a section of a device, or nothing.
///
/// # Invariants
/// `op` is null or comes from an `&'static Op`.
#[repr(C)] // The kernel's shim has it too.
pub(in crate::gate) struct Entry {
    op: AtomicPtr<Op>,
    /// The device's number and the kind of the section ([`tag`]), or [`FREE`].
    pub(super) device: AtomicU64,
}

/// In the word of a section whose thread sleeps until a pause is over. Unplug waits for such a section, and a pause does
/// not.
const PARKED: u64 = 1 << 63;

/// The word that a section writes into its slot: the device's number, and whether the section may move to another
/// thread.
pub(in crate::gate) const fn tag(device: u64, owned: bool) -> u64 {
    device << 1 | owned as u64
}

/// The device's number of a [`tag`], parked or not.
pub(in crate::gate) const fn number(tag: u64) -> u64 {
    (tag & !PARKED) >> 1
}

impl Entry {
    #[cfg(not(any(loom, feature = "kernel")))]
    pub(super) const fn new() -> Self {
        Self { device: AtomicU64::new(FREE), op: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self { device: AtomicU64::new(FREE), op: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts a section into the slot. It has to be free, and the caller's to use.
    #[cfg(not(feature = "kernel"))]
    #[inline(always)]
    pub(super) fn open(&self, tag: u64, op: &'static Op) {
        self.op.store(ptr::from_ref(op).cast_mut(), Ordering::Relaxed);
        // Release: a thread that reads the device reads its operation too, or a later one.
        self.device.store(tag, needed("release of a section", Ordering::Release));
    }

    /// Ends the section. If unplug sees this store, all that the section did came before.
    #[cfg(not(feature = "kernel"))]
    #[inline(always)]
    pub(super) fn clear(&self) {
        self.device.store(FREE, needed("release of a slot", Ordering::Release));
    }

    /// Whether the section that stands here, if any, may be ended by another thread than the one that opened it.
    #[cfg(all(feature = "std", not(fops_shared)))]
    pub(super) fn is_owned(&self) -> bool {
        self.device.load(Ordering::Relaxed) & 1 == 1
    }

    /// The [`tag`] of the section that stands here, or [`FREE`].
    fn seen(&self) -> u64 {
        // Acquire pairs with the release in `open`, for the operation. It also pairs with the release in `clear`, for
        // all that the section did.
        self.device.load(needed("acquire of a slot", Ordering::Acquire))
    }

    /// The number of the device whose section stands here. No device has the number of a free slot.
    pub(in crate::gate) fn device(&self) -> u64 {
        number(self.seen())
    }

    /// If the slot holds a section of a device that `is_meant`: the section, in `thread`.
    pub(in crate::gate) fn section_of(
        &self,
        is_meant: impl Fn(u64) -> bool,
        thread: impl FnOnce() -> u64,
    ) -> Option<Section> {
        let seen = self.seen();
        if seen == FREE || !is_meant(number(seen)) {
            return None;
        }
        // SAFETY: by the invariant, the pointer is null or comes from an `&'static Op`.
        let op = unsafe { self.op.load(Ordering::Relaxed).as_ref() }?;
        Some(Section { device: number(seen), op, thread: thread(), owned: seen & 1 == 1, parked: seen & PARKED != 0 })
    }

    /// Whether a section of this device stands here, and its thread does not sleep until a pause is over.
    #[cfg(feature = "std")]
    pub(in crate::gate) fn is_at_work(&self, device: u64) -> bool {
        let seen = self.seen();
        number(seen) == device && seen & PARKED == 0
    }

    /// Says that the thread of this section sleeps until a pause is over, or that it goes on. Only the thread that opened
    /// the section may say so, and only where it is bound to that thread.
    #[cfg(all(feature = "std", not(fops_shared)))]
    pub(super) fn set_parked(&self, parked: bool) {
        // Relaxed: this thread has written it, except where an owned section ends on another one.
        let seen = self.device.load(Ordering::Relaxed);
        if seen != FREE && seen & 1 == 0 {
            let word = if parked { seen | PARKED } else { seen & !PARKED };
            // Release: if a pause sees that the section is parked, all that it did came before.
            self.device.store(word, needed("release of a parked section", Ordering::Release));
        }
    }

    /// Whether a section of a device that `is_meant` stands here, and no thread but the one that opened it has it.
    #[cfg(any(all(feature = "std", not(fops_shared)), feature = "kernel"))]
    pub(super) fn is_bound(&self, is_meant: impl Fn(u64) -> bool) -> bool {
        self.section_of(is_meant, || 0).is_some_and(|section| !section.owned)
    }
}
