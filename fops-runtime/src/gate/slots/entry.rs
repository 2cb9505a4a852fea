//! One slot.
use crate::op::Op;
use crate::platform::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::platform::needed;
use core::ptr;

/// No section stands here.
pub(super) const FREE: u64 = 0;

/// A slot: a section of a device, or nothing.
///
/// # Invariants
/// `op` is null or comes from an `&'static Op`.
pub(in crate::gate) struct Entry {
    op: AtomicPtr<Op>,
    /// The device's number and the kind of the section ([`tag`]), or [`FREE`].
    pub(super) device: AtomicU64,
}

/// What a slot says of a section: the device's number, and whether the section may live on another thread than
/// the one that opened it.
pub(in crate::gate) const fn tag(device: u64, owned: bool) -> u64 {
    device << 1 | owned as u64
}

/// The device's number of a [`tag`].
pub(in crate::gate) const fn number(tag: u64) -> u64 {
    tag >> 1
}

impl Entry {
    #[cfg(not(loom))]
    pub(super) const fn new() -> Self {
        Self { device: AtomicU64::new(FREE), op: AtomicPtr::new(ptr::null_mut()) }
    }

    #[cfg(loom)]
    pub(super) fn new() -> Self {
        Self { device: AtomicU64::new(FREE), op: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Puts a section into the slot, which is free and this thread's to use.
    #[inline(always)]
    pub(super) fn open(&self, tag: u64, op: &'static Op) {
        self.op.store(ptr::from_ref(op).cast_mut(), Ordering::Relaxed);
        // Release: who reads the device reads its operation, or a later one.
        self.device.store(tag, needed("release of a section", Ordering::Release));
    }

    /// Ends the section. What it did comes before what unplug does when it sees this.
    #[inline(always)]
    pub(super) fn clear(&self) {
        self.device.store(FREE, needed("release of a slot", Ordering::Release));
    }

    /// Whether the section that stands here, if any, may be ended by another thread than the one that opened it.
    #[cfg(all(feature = "std", not(loom)))]
    pub(super) fn is_owned(&self) -> bool {
        self.device.load(Ordering::Relaxed) & 1 == 1
    }

    /// The operation, if a section of this device stands here, and whether it is an owned one.
    pub(in crate::gate) fn section_of(&self, device: u64) -> Option<(&'static Op, bool)> {
        // Acquire pairs with the release in `open`, for the operation; and with that in `clear`, for all that the
        // section did.
        let seen = self.device.load(needed("acquire of a slot", Ordering::Acquire));
        if number(seen) != device || seen == FREE {
            return None;
        }
        // SAFETY: null, or from an `&'static Op`, by the invariant.
        let op = unsafe { self.op.load(Ordering::Relaxed).as_ref() }?;
        Some((op, seen & 1 == 1))
    }
}
