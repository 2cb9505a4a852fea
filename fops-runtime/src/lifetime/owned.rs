//! An access that is not bound to a thread or a stack.
extern crate std;

use super::device_lifetime::DeviceLifetime;
use super::unplugged::Unplugged;
use crate::gate::Slot;
use crate::op::Op;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use std::sync::Arc;

/// Proof that a device access section is open, for work that outlives its function: a future, a transfer, a reply
/// that is given later.
///
/// It may be dropped on another thread, and held across `.await`. Unplug waits for it, and names the operation that
/// opened it; it does not count as being inside for `EDEADLK`, since it may be anywhere.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Unplug};
/// use fops_runtime::op::op;
/// use std::sync::Arc;
///
/// let lifetime = Arc::new(DeviceLifetime::new(5));
/// let access = lifetime.enter_owned(op!("transfer")).unwrap();
/// let transfer = std::thread::spawn(move || *access + 1); // ends with the thread's closure
/// assert_eq!(lifetime.alone().unplug(Cause::Unbind).unwrap(), 5);
/// assert_eq!(transfer.join().unwrap(), 6);
/// ```
///
/// # Invariants
/// A section of `lifetime` stands in `slot`.
#[must_use = "the section ends as soon as the access is dropped"]
pub struct OwnedAccess<R> {
    lifetime: Arc<DeviceLifetime<R>>,
    slot: ManuallyDrop<Slot>,
}

impl<R> DeviceLifetime<R> {
    /// Opens a device access section that is not bound to this thread.
    ///
    /// The access counts as a reference to the lifetime, which costs more than the section itself: two atomic operations on
    /// a word that all threads share. [`OwnedAccess::enter`] takes one over instead, and [`OwnedAccess::exit`] gives it
    /// back: for whoever has one to spare, and opens many sections.
    ///
    /// # Errors
    /// [`Unplugged`](struct@Unplugged) once unplug has begun.
    #[inline(always)]
    pub fn enter_owned(self: &Arc<Self>, op: &'static Op) -> Result<OwnedAccess<R>, Unplugged> {
        OwnedAccess::enter(self.clone(), op)
    }
}

impl<R> OwnedAccess<R> {
    pub(super) const fn lifetime(&self) -> &Arc<DeviceLifetime<R>> {
        &self.lifetime
    }

    /// Opens a section with a reference that the caller has to spare: nothing is counted.
    ///
    /// ```
    /// use fops_runtime::{DeviceLifetime, OwnedAccess};
    /// use fops_runtime::op::op;
    /// use std::sync::Arc;
    ///
    /// let mut lifetime = Arc::new(DeviceLifetime::new(5));
    /// for _ in 0..3 {
    ///     let access = OwnedAccess::enter(lifetime, op!("transfer"))?;
    ///     assert_eq!(*access, 5);
    ///     lifetime = access.exit();
    /// }
    /// # Ok::<(), fops_runtime::Unplugged>(())
    /// ```
    ///
    /// # Errors
    /// [`Unplugged`](struct@Unplugged) once unplug has begun; the reference is dropped then.
    #[inline(always)]
    pub fn enter(lifetime: Arc<DeviceLifetime<R>>, op: &'static Op) -> Result<Self, Unplugged> {
        let slot = match lifetime.core.gate.enter(op, true) {
            Some(slot) => slot,
            None => lifetime.core.enter_late(op, true)?,
        };
        Ok(Self::opened(lifetime, slot, op))
    }

    /// The access of a section that was just opened.
    #[inline(always)]
    pub(super) fn opened(lifetime: Arc<DeviceLifetime<R>>, slot: Slot, op: &'static Op) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::opened(&slot, lifetime.id(), op, true);
        #[cfg(not(feature = "tracing"))]
        let _ = op;
        // INVARIANT: just opened.
        Self { lifetime, slot: ManuallyDrop::new(slot) }
    }

    /// Ends the section, and returns the reference that it held.
    #[inline]
    pub fn exit(self) -> Arc<DeviceLifetime<R>> {
        let mut access = ManuallyDrop::new(self);
        // SAFETY: the access is not used after this, nor dropped.
        let slot = unsafe { ManuallyDrop::take(&mut access.slot) };
        // SAFETY: as above: the reference is moved out once.
        let lifetime = unsafe { core::ptr::read(&access.lifetime) };
        lifetime.core.leave(slot);
        lifetime
    }

    /// Whether unplug has begun and waits for this section among others.
    pub fn is_unplugged(&self) -> bool {
        self.lifetime.is_unplugged()
    }
}

impl<R> Deref for OwnedAccess<R> {
    type Target = R;

    #[inline]
    fn deref(&self) -> &R {
        // SAFETY: the section is open, so the resources have not been moved out, nor will be before it ends; the
        // reference ends before that, since it borrows the access.
        unsafe { self.lifetime.resources() }
    }
}

impl<R> Drop for OwnedAccess<R> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: taken here alone, and the access is not used after its drop.
        let slot = unsafe { ManuallyDrop::take(&mut self.slot) };
        // The lifetime lives until the gate is done with: this holds a reference.
        self.lifetime.core.leave(slot);
    }
}

impl<R> fmt::Debug for OwnedAccess<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedAccess").field("device", &self.lifetime.id()).finish_non_exhaustive()
    }
}
