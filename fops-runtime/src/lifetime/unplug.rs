//! Unplug: one sequence for a device, a device with its subdevs, and several devices.
use super::cause::{Cause, UnplugError};
use super::escapes;
use super::parts::{Parts, Sealed};
use super::records::Records;
use super::report::Report;
use super::state::{Holder, Role};
use super::steps;
use super::unpluggable::Unpluggable;
use crate::platform;
use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

/// Unplug: one sequence for every [`Unpluggable`] device or group of devices.
///
/// Every device is flagged, every sleeper is woken, every stop hook has run, and only then the first section is waited
/// for. So an operation of one device may wait for another one's. The resources come back in the order of the devices;
/// the remover tears children down first.
///
/// Implemented for all that implements [`Unpluggable`], and for nothing else. So no device can replace a step.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Unplug};
///
/// let (vin, csi2) = (DeviceLifetime::new("vin"), DeviceLifetime::new("csi2"));
/// assert_eq!((vin.alone(), csi2.alone()).unplug(Cause::Unbind), Ok(("vin", "csi2")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no unplug routine",
    label = "a device has to be unpluggable here",
    note = "write `unplug()` among the options of its `#[guarded_fops(..)]`, or `unplug(stop = <method>)`"
)]
pub trait Unplug: Unpluggable {
    /// Refuses new sections, wakes the sleepers, stops the hardware: all but the waiting.
    ///
    /// While another thread unplugs one of the devices, this one waits; all of them are flagged and their sleepers
    /// woken by then. If that one gives up, this one takes over.
    ///
    /// The driver's hooks run on this thread. If one hangs, this does not return, and no deadline of this thread's can
    /// change that: another thread is told by [`report`](Self::report).
    ///
    /// # Errors
    /// [`UnplugError::Deadlock`] when it would wait for itself: this thread is inside a section of one of the devices, or
    /// unplugs one already, or was the last to poll a task that does; or somebody who is inside one, or unplugs one, waits
    /// for this thread in an unplug;
    /// [`UnplugError::NamedTwice`] when a device is named twice. All devices are as they were then.
    /// [`UnplugError::AlreadyUnplugged`] when another unplug had the resources of one; [`UnplugError::FenceRefused`]
    /// when nothing can be known of the sections in flight. The devices are closed then, their sleepers are woken, and
    /// an unplug of theirs goes on from there.
    fn begin_unplug(&self, cause: Cause) -> Result<Draining<'_, Self>, UnplugError> {
        Draining::begin(self, cause, None)
    }

    /// As [`begin_unplug`](Self::begin_unplug), but waits for at most `limit` for another unplug of one of the devices:
    /// for its sections, and for a hook that hangs on its thread.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug, UnplugError};
    /// use std::time::Duration;
    ///
    /// let lifetime = DeviceLifetime::new("registers");
    /// let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    /// std::thread::scope(|s| {
    ///     let late = s.spawn(|| lifetime.alone().begin_unplug_for(Cause::Unbind, Duration::from_millis(1)).err());
    ///     assert_eq!(late.join().unwrap(), Some(UnplugError::Busy));
    /// });
    /// assert_eq!(draining.wait(), "registers");
    /// ```
    ///
    /// # Errors
    /// [`UnplugError::Busy`] if the other one has not ended by then. The devices are closed and their sleepers are woken.
    /// Those that no other unplug has are stopped, and [`report`](Self::report) says what the other one waits for. Else as
    /// [`begin_unplug`](Self::begin_unplug).
    #[cfg(any(feature = "std", feature = "kernel"))]
    fn begin_unplug_for(&self, cause: Cause, limit: Duration) -> Result<Draining<'_, Self>, UnplugError> {
        Draining::begin(self, cause, Some(limit))
    }

    /// Unplugs the device with all that goes with it, and returns the resources once nobody uses them any more.
    ///
    /// # Errors
    /// As [`begin_unplug`](Self::begin_unplug).
    fn unplug(&self, cause: Cause) -> Result<Self::Resources, UnplugError> {
        Ok(self.begin_unplug(cause)?.wait())
    }

    /// Makes the cause of an unplug worse, for the device and all that goes with it: see
    /// [`DeviceLifetime::escalate`](super::DeviceLifetime::escalate). Does not wait.
    fn escalate(&self, cause: Cause) {
        self.parts().members().for_each(|member| member.core().escalate(member.cause(cause)));
    }

    /// The worst cause that anybody gave for one of the devices, once its unplug has begun. That of a subdev may be its
    /// own, and does not count.
    fn cause(&self) -> Option<Cause> {
        self.parts().members().filter(|member| !member.is_child).filter_map(|member| member.core().cause()).max()
    }

    /// What their unplug has done so far, one [`Record`](super::Record) a device.
    fn records(&self) -> Records<impl Parts<Resources = Self::Resources>> {
        Records::of(self.parts())
    }

    /// What an unplug of these devices waits for now, or would wait for: the sections in flight.
    fn report(&self) -> Report<impl Parts<Resources = Self::Resources>> {
        Report::of(self.parts())
    }
}

#[diagnostic::do_not_recommend]
impl<D: Unpluggable + ?Sized> Unplug for D {}

/// The remover's role: the device is closed with all that goes with it, sections may be in flight, the resources are
/// still in place.
///
/// Dropping it gives the role up: the device stays closed, and the next unplug goes on from here.
#[must_use = "the resources come back from `wait`"]
pub struct Draining<'a, D: Unplug + ?Sized> {
    device: &'a D,
    role: Role,
    /// How long to pause before the wake hooks are called again; `None` where none asks for that.
    pause: Option<Duration>,
    /// When they were called last.
    woken: Option<platform::Instant>,
    /// The role is bound to the thread: that is how unplug from inside a hook is told.
    _not_send: PhantomData<*mut ()>,
}

/// The pause before the wake hooks are called again, after one of `pause`.
pub(super) fn longer(pause: Duration) -> Duration {
    (pause * 2).clamp(Duration::from_millis(1), Duration::from_millis(100))
}

impl<'a, D: Unplug + ?Sized> Draining<'a, D> {
    /// All but the waiting for sections. Waits for at most `limit` for other unplugs.
    fn begin(device: &'a D, cause: Cause, limit: Option<Duration>) -> Result<Self, UnplugError> {
        let (parts, here) = (device.parts(), Holder { thread: platform::thread_id(), is_task: false });
        let mut this = Self { device, role: Role::new(), pause: None, woken: None, _not_send: PhantomData };
        this.role.flag(&parts, cause, here)?;
        let result = this.take_roles(&parts, here, limit);
        this.role.has_asked(&parts);
        result?;
        steps::stop(&this.role, &parts);
        let again = steps::wake(&this.role, &parts, true);
        this.pause = again.then(|| longer(Duration::ZERO));
        this.woken = platform::now();
        Ok(this)
    }

    /// Has all devices told, and waits for the roles.
    fn take_roles(&self, parts: &impl Parts, here: Holder, limit: Option<Duration>) -> Result<(), UnplugError> {
        let began = limit.and_then(|_| platform::now());
        let mut taken = self.role.take(parts, here);
        steps::tell(&self.role, parts, &taken)?;
        if !matches!(taken, Ok(None)) {
            steps::stop_the_free(&self.role, parts, here)?;
        }
        let mut is_late = false;
        while let Some(busy) = taken? {
            let left = limit.map(|limit| limit.saturating_sub(began.map_or(limit, platform::elapsed)));
            if left == Some(Duration::ZERO) {
                return Err(UnplugError::Busy);
            }
            self.role.note(parts, Some(&busy));
            busy.wait(left);
            self.role.note(parts, None);
            taken = self.role.take(parts, here);
            is_late = true;
        }
        if is_late {
            // The unplug that set a flag may not have come to its sleepers yet.
            steps::tell(&self.role, parts, &Ok(None))?;
        }
        self.role.fence(parts)
    }

    /// Waits until the last section has ended, however long that takes, and returns the resources.
    pub fn wait(mut self) -> D::Resources {
        let parts = self.device.parts();
        while !steps::drain(&parts, self.pause) {
            self.wake(&parts);
        }
        escapes::wait(&self.role, &parts, None);
        parts.hand_back(&self.role)
    }

    /// Waits for at most `limit`, then gives the role back together with the [report](Self::report) of who is
    /// still inside. Nothing is freed then; the caller decides whether to wait on.
    ///
    /// The limit is for the sections. The wake hooks run on this thread, so it cannot end one that hangs: another thread is
    /// told by [`DeviceLifetime::report`](super::DeviceLifetime::report), and its own
    /// [`begin_unplug_for`](Unplug::begin_unplug_for) keeps its limit.
    ///
    /// # Errors
    /// The role, when sections are left.
    #[cfg(any(feature = "std", feature = "kernel"))]
    pub fn wait_for(mut self, limit: Duration) -> Result<D::Resources, Self> {
        let (parts, began) = (self.device.parts(), platform::now());
        loop {
            let left = limit.saturating_sub(began.map_or(limit, platform::elapsed));
            if steps::drain(&parts, Some(self.pause.map_or(left, |pause| pause.min(left)))) {
                let left = limit.saturating_sub(began.map_or(limit, platform::elapsed));
                let is_whole = escapes::wait(&self.role, &parts, Some(left));
                return if is_whole { Ok(parts.hand_back(&self.role)) } else { Err(self) };
            }
            // A caller that polls with short limits has the wake hooks called all the same.
            let is_due = self.woken.map(platform::elapsed) >= self.pause;
            if is_due || !left.is_zero() {
                self.wake(&parts);
            }
            if left.is_zero() {
                return Err(self);
            }
        }
    }

    /// Who is still inside.
    pub fn report(&self) -> Report<impl Parts<Resources = D::Resources> + use<'a, D>> {
        let device: &'a D = self.device;
        device.report()
    }

    fn wake(&mut self, parts: &impl Parts) {
        if let Some(pause) = self.pause {
            self.pause = steps::wake(&self.role, parts, false).then(|| longer(pause));
            self.woken = platform::now();
        }
    }
}

impl<D: Unplug + ?Sized> Drop for Draining<'_, D> {
    fn drop(&mut self) {
        // A driver's `parts` that panics loses its own role alone.
        let _ = platform::catch(|| {
            let parts = self.device.parts();
            self.role.note(&parts, None);
            self.role.end(&parts);
        });
    }
}

impl<D: Unplug + ?Sized> fmt::Debug for Draining<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Draining").field(&self.report()).finish()
    }
}
