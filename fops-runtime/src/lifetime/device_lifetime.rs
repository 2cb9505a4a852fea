//! The type that owns a device's resources.
use super::cause::Cause;
use super::state::{Core, Phase, Role};
use super::trace;
use core::cell::UnsafeCell;
use core::fmt;
use core::mem::ManuallyDrop;

/// Owns a device's resources `R` from probe to unplug, and lends them to device access sections.
///
/// `R` is what dies with the device: registers, clocks, interrupts. What outlives it, the state, stands
/// beside the lifetime in the driver's structure. After `video_device_enter()` and `video_device_exit()` of
/// the 2017 V4L2 proposal.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Unplug, Unplugged};
/// use fops_runtime::op::op;
///
/// let lifetime = DeviceLifetime::new(String::from("registers"));
/// {
///     let access = lifetime.enter(op!("example")).unwrap();
///     assert_eq!(*access, "registers");
/// } // the section ends here
/// let registers: String = lifetime.alone().unplug(Cause::Unbind).unwrap();
/// assert_eq!(registers, "registers");
/// assert_eq!(lifetime.enter(op!("example")).err(), Some(Unplugged));
/// ```
///
/// Dropping a lifetime that was never unplugged drops the resources: nobody can be inside then, since every
/// access borrows the lifetime.
///
/// # Invariants
/// `resources` holds a value until the resources have been handed back, and is moved out by the thread that
/// says so, after it saw the closed gate without sections.
pub struct DeviceLifetime<R> {
    pub(super) core: Core,
    resources: UnsafeCell<ManuallyDrop<R>>,
}

// SAFETY: `resources` is lent as `&R` (hence `R: Sync`) and moved to the remover's thread (hence `R: Send`);
// that these do not overlap is the type's invariant. The rest is atomics and locks.
unsafe impl<R: Send + Sync> Sync for DeviceLifetime<R> {}
// SAFETY: moving it moves `R`. The list of cancellations holds pointers to nodes that borrow the lifetime, so
// it is empty whenever the lifetime can move.
unsafe impl<R: Send> Send for DeviceLifetime<R> {}

impl<R> DeviceLifetime<R> {
    /// The device is there, with these resources.
    pub fn new(resources: R) -> Self {
        // INVARIANT: plugged, with a value.
        Self { core: Core::new(), resources: UnsafeCell::new(ManuallyDrop::new(resources)) }
    }

    /// Whether unplug has begun: true from the flag on, and for ever. After `drm_dev_is_unplugged()` in drm/drm_drv.h.
    pub fn is_unplugged(&self) -> bool {
        self.core.gate.is_closed()
    }

    /// Why it is unplugged, once unplug has begun: the worst cause that anybody gave.
    pub fn cause(&self) -> Option<Cause> {
        self.core.cause()
    }

    /// Makes the cause of an unplug worse: the device that was being unbound is gone now. An unplug that is still to come
    /// begins with this cause, unless its own is worse.
    pub fn escalate(&self, cause: Cause) {
        self.core.escalate(cause);
    }

    /// Tells this lifetime from every other one of the process, past and to come; never 0.
    pub const fn id(&self) -> u64 {
        self.core.gate.number()
    }

    /// When unplug began: the moment from which a sleeper's answer is late.
    #[cfg(feature = "std")]
    pub fn unplug_began(&self) -> Option<std::time::Instant> {
        self.core.cold().lock().since
    }

    /// Woken when unplug begins and again when the last section has ended, for hosts: whoever sleeps in poll
    /// on a file of the device waits here too.
    #[cfg(feature = "std")]
    pub fn pollers(&self) -> &crate::wait::WaitQueue {
        self.core.pollers()
    }

    /// The resources.
    ///
    /// # Safety
    /// They are still in place, and nobody moves them out while the reference lives: a section is open, or the caller
    /// has the remover's role.
    #[inline(always)]
    pub(super) const unsafe fn resources(&self) -> &R {
        // SAFETY: as the caller says. `ManuallyDrop` is transparent.
        unsafe { &*self.resources.get().cast::<R>() }
    }

    /// Moves the resources out, after the drain.
    ///
    /// # Panics
    /// When `role` is not the one under which this device was fenced: the author's [`Unpluggable::parts`](super::Unpluggable::parts)
    /// names other devices than before.
    pub(super) fn hand_back(&self, role: &Role) -> R {
        let mut cold = self.core.cold().lock();
        let may = cold.phase == Phase::Unplugging && cold.is_held_by(role);
        if may {
            cold.phase = Phase::Gone;
        }
        cold.note(|record, since| record.drained = since);
        drop(cold);
        assert!(may, "`Unpluggable::parts` names another device than when the unplug began");
        #[cfg(feature = "std")]
        crate::wait::end_closing(self.id());
        // SAFETY: the closed gate was seen without sections after the fence, so nobody has a reference; this unplug has
        // the remover's role, and a phase of `Gone` keeps every other one from it and from the value.
        // INVARIANT: moved out by the thread that set the phase.
        let resources = unsafe { ManuallyDrop::take(&mut *self.resources.get()) };
        // A poll that was in flight may have registered after the first wake.
        #[cfg(feature = "std")]
        self.core.pollers().wake_all();
        if let Some(record) = self.record() {
            trace::step(self.id(), trace::Step::Drained(record));
        }
        resources
    }
}

impl<R> Drop for DeviceLifetime<R> {
    fn drop(&mut self) {
        let phase = self.core.phase_mut();
        #[cfg(feature = "std")]
        self.core.forget_pause();
        #[cfg(feature = "std")]
        if matches!(phase, Phase::Unplugging | Phase::Unfenced) {
            crate::wait::end_closing(self.core.gate.number());
        }
        if phase != Phase::Gone {
            // SAFETY: by the invariant it holds a value, and nothing comes after this drop.
            unsafe { ManuallyDrop::drop(self.resources.get_mut()) }
        }
    }
}

impl<R> fmt::Debug for DeviceLifetime<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.core.cold().lock().phase;
        f.debug_struct("DeviceLifetime").field("id", &self.id()).field("phase", &phase).finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "std", not(loom)))]
mod tests {
    use super::*;
    use crate::lifetime::Unplug;
    use crate::wait::is_closing;

    #[test]
    fn a_device_is_closing_until_it_is_drained_or_gone() {
        let (drained, dropped) = (DeviceLifetime::new(()), DeviceLifetime::new(()));
        let ids = [drained.id(), dropped.id()];
        let draining = drained.alone().begin_unplug(Cause::Unbind).unwrap();
        drop(dropped.alone().begin_unplug(Cause::Unbind).unwrap());
        assert_eq!(ids.map(is_closing), [true, true]);
        draining.wait();
        assert_eq!(ids.map(is_closing), [false, true]);
        drop(dropped);
        assert_eq!(ids.map(is_closing), [false, false]);
    }
}
