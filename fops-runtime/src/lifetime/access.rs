//! The guard that proves a section is open.
use super::cancel::Cancellation;
use super::device_lifetime::DeviceLifetime;
use super::state::Core;
use super::unplugged::Unplugged;
use crate::gate::Slot;
use crate::gate::points::{self, Point};
use crate::op::Op;
#[cfg(all(fops_controls, feature = "std"))]
use crate::platform::without::{Step, without};
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::Deref;

/// Proof that a device access section is open, and the only way to the device's resources.
///
/// It lends `R` for as long as the section lasts; unplug waits until it is dropped. It stays on the thread
/// that opened it. Forgetting it ([`core::mem::forget`]) leaves the section open for ever: unplug of that
/// device then waits for ever and names it, but frees nothing.
///
/// # Invariants
/// A section of `lifetime` stands in `slot`.
#[must_use = "the section ends as soon as the access is dropped"]
pub struct Access<'a, R> {
    lifetime: &'a DeviceLifetime<R>,
    slot: ManuallyDrop<Slot>,
    /// The section's slot names this thread.
    _not_send: PhantomData<*mut ()>,
}

impl<R> DeviceLifetime<R> {
    /// Opens a device access section for `op`. It ends when the access is dropped.
    ///
    /// Sections may sleep, last for hours, and nest, on one device or several. If the device is
    /// [paused](crate::DeviceLifetime::pause_for), this sleeps until it goes on.
    ///
    /// # Errors
    /// [`Unplugged`](struct@Unplugged) once unplug has begun. It converts into `EAGAIN` or `EINTR` if the device is paused and the caller does
    /// not wait.
    #[inline]
    pub fn enter(&self, op: &'static Op) -> Result<Access<'_, R>, Unplugged> {
        points::reach(Point::Entering(op));
        let slot = match self.core.gate.enter(op, false) {
            Some(slot) => slot,
            #[cfg(all(fops_controls, feature = "std"))]
            None if op.policy() == crate::op::Policy::Always && without(Step::ReleaseAccess) => {
                return Ok(Access::new(self, self.core.gate.enter_anyway(op)));
            }
            None => self.core.enter_late(op, false)?,
        };
        let access = Access::opened(self, slot, op);
        points::reach(Point::Entered(op));
        Ok(access)
    }
}

#[cfg(not(feature = "std"))]
impl Core {
    /// The gate is closed: nothing pauses here.
    pub(super) fn enter_late(&self, op: &'static Op, _: bool) -> Result<Slot, Unplugged> {
        Err(self.refuse(op))
    }
}

impl<'a, R> Access<'a, R> {
    const fn new(lifetime: &'a DeviceLifetime<R>, slot: Slot) -> Self {
        Self { lifetime, slot: ManuallyDrop::new(slot), _not_send: PhantomData }
    }

    /// The access of a section that was just opened.
    #[inline(always)]
    pub(super) fn opened(lifetime: &'a DeviceLifetime<R>, slot: Slot, op: &'static Op) -> Self {
        #[cfg(feature = "tracing")]
        super::trace::opened(&slot, lifetime.id(), op, false);
        #[cfg(not(feature = "tracing"))]
        let _ = op;
        Self::new(lifetime, slot)
    }

    pub(super) const fn core(&self) -> &'a Core {
        &self.lifetime.core
    }

    /// Whether unplug has begun and waits for this section among others.
    pub fn is_unplugged(&self) -> bool {
        self.lifetime.is_unplugged()
    }

    /// Runs `blocking`, which may sleep where the runtime cannot see it, and has `cancel` called once if the
    /// device is unplugged meanwhile: at once if unplug has begun already, else on the remover's thread.
    ///
    /// `cancel` makes `blocking` return: shuts a socket down, writes to an eventfd, sets a flag and notifies.
    /// It may run before `blocking` begins, so it has to leave something that `blocking` will notice. It must not wait
    /// for `blocking` to return, nor take a lock that is held when this is called or when `blocking` returns: it may
    /// run on this thread first, and is waited for last. Nested sections register with each device. After `debugfs_enter_cancellation()` in linux/debugfs.h.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    /// use fops_runtime::op::op;
    /// use std::sync::mpsc;
    ///
    /// let lifetime = DeviceLifetime::new(());
    /// std::thread::scope(|s| {
    ///     let (inside, wait_inside) = mpsc::channel();
    ///     let lifetime = &lifetime;
    ///     let sleeper = s.spawn(move || {
    ///         let access = lifetime.enter(op!("recv")).unwrap();
    ///         let (wake, sleep) = mpsc::channel();
    ///         inside.send(()).unwrap();
    ///         access.with_cancellation(|| wake.send("cancelled").unwrap(), || sleep.recv().unwrap())
    ///     });
    ///     wait_inside.recv().unwrap();
    ///     lifetime.alone().unplug(Cause::Unbind).unwrap();
    ///     assert_eq!(sleeper.join().unwrap(), "cancelled");
    /// });
    /// ```
    pub fn with_cancellation<T>(&self, cancel: impl Fn() + Sync, blocking: impl FnOnce() -> T) -> T {
        let cancellation = Cancellation::new(&cancel);
        let _registered = self.lifetime.core.register(&cancellation);
        blocking()
    }
}

impl<R> Deref for Access<'_, R> {
    type Target = R;

    #[inline]
    fn deref(&self) -> &R {
        // SAFETY: the section is open, so the resources have not been moved out, nor will be before it ends;
        // the reference ends before that, since it borrows the access.
        unsafe { self.lifetime.resources() }
    }
}

impl<R> Drop for Access<'_, R> {
    #[inline]
    fn drop(&mut self) {
        points::reach(Point::Leaving);
        // SAFETY: taken here alone, and the access is not used after its drop.
        let slot = unsafe { ManuallyDrop::take(&mut self.slot) };
        self.lifetime.core.leave(slot);
    }
}

impl<R> fmt::Debug for Access<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("device", &self.lifetime.id()).finish_non_exhaustive()
    }
}
