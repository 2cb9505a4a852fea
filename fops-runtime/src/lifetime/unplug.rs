//! The unplug sequence: flag, cancel, stop, drain, hand back.
use super::{Cause, Cold, Core, DeviceLifetime, Phase, Report, UnplugError, Work};
use crate::gate;
use crate::platform;
use crate::platform::without::{self, without};
use crate::trace::{self, Step};
use core::cell::Cell;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::time::Duration;

/// The unplug routine of a driver: its lifetime and its hooks. Implemented by `#[guarded_fops(.., unplug(..))]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no unplug routine",
    label = "a device has to be unpluggable here",
    note = "write `unplug()` among the options of its `#[guarded_fops(..)]`, or `unplug(stop = <method>)`"
)]
pub trait Unplug {
    /// What unplug hands back.
    type Resources;

    /// The device's lifetime.
    fn lifetime(&self) -> &DeviceLifetime<Self::Resources>;

    /// Stops the hardware. Called once, after the sleepers were woken and while sections are in flight.
    ///
    /// With [`Cause::SurpriseRemoval`] there is no hardware to stop. A panic is logged and the unplug goes on.
    fn stop(&self, resources: &Self::Resources, cause: Cause) {
        let _ = (resources, cause);
    }

    /// Wakes sleepers that only the driver knows of. Returns whether to call it again while the drain lasts,
    /// every 1 to 100 ms: an operation in flight can undo a single wake.
    fn wake(&self, resources: &Self::Resources) -> bool {
        let _ = resources;
        false
    }

    /// Refuses new sections, wakes the sleepers, stops the hardware: all but the waiting.
    ///
    /// # Errors
    /// As [`DeviceLifetime::begin_unplug`].
    fn begin_unplug(&self, cause: Cause) -> Result<Draining<'_, Self::Resources>, UnplugError>
    where
        Self: Sized,
    {
        Draining::begin(self.lifetime(), Some(self), cause)
    }

    /// Unplugs the device and returns its resources, once nobody uses them any more.
    ///
    /// # Errors
    /// As [`DeviceLifetime::begin_unplug`].
    fn unplug(&self, cause: Cause) -> Result<Self::Resources, UnplugError>
    where
        Self: Sized,
    {
        Ok(self.begin_unplug(cause)?.wait())
    }

    /// Has the device unplugged from a thread of its own, and its resources given to `then` there: for an operation that
    /// wants its own device gone, which cannot wait for itself.
    ///
    /// Returns at once. The unplug waits for the operation to return, as for every other one; what it does in the
    /// meantime is refused and woken as always. `then` tears the resources down, or learns why there are none: another
    /// unplug was faster. A panic in it is logged. A device on a bus is removed by the bus instead (`Bus::remove`),
    /// which unregisters its nodes too. After `device_remove_file_self()` in linux/device.h, which a device's own attribute calls.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug, op};
    /// use std::sync::{Arc, mpsc};
    ///
    /// struct Device { lifetime: DeviceLifetime<&'static str> }
    /// impl Unplug for Device {
    ///     type Resources = &'static str;
    ///     fn lifetime(&self) -> &DeviceLifetime<&'static str> { &self.lifetime }
    /// }
    ///
    /// let device = Arc::new(Device { lifetime: DeviceLifetime::new("registers") });
    /// let (torn_down, wait) = mpsc::channel();
    /// let access = device.lifetime.enter(op!("ioctl")).unwrap();
    /// // The firmware has crashed:
    /// let then = move |_device, registers| torn_down.send(registers).unwrap();
    /// device.clone().schedule_unplug(Cause::SurpriseRemoval, then).unwrap();
    /// assert_eq!(*access, "registers"); // until the operation returns
    /// drop(access);
    /// assert_eq!(wait.recv().unwrap(), Ok("registers"));
    /// ```
    ///
    /// # Errors
    /// `EAGAIN` when there cannot be one more thread. The device is as it was then, and `then` is not called.
    #[cfg(feature = "std")]
    fn schedule_unplug<F>(self: std::sync::Arc<Self>, cause: Cause, then: F) -> Result<(), crate::Errno>
    where
        Self: Sized + Send + Sync + 'static,
        Self::Resources: Send,
        F: FnOnce(std::sync::Arc<Self>, Result<Self::Resources, UnplugError>) + Send + 'static,
    {
        super::schedule::schedule(self, cause, then)
    }

    /// As [`begin_unplug`](Self::begin_unplug), for tasks. The hooks run on the thread that polls.
    ///
    /// # Errors
    /// As [`DeviceLifetime::begin_unplug_async`].
    #[cfg(feature = "async")]
    fn begin_unplug_async(
        &self,
        cause: Cause,
    ) -> impl Future<Output = Result<super::DrainingAsync<'_, Self::Resources>, UnplugError>> + Send
    where
        Self: Sized + Sync,
        Self::Resources: Send + Sync,
    {
        super::DrainingAsync::begin(self.lifetime(), Some(self), cause)
    }

    /// As [`unplug`](Self::unplug), for tasks: the drain blocks no thread.
    ///
    /// # Errors
    /// As [`DeviceLifetime::begin_unplug_async`].
    #[cfg(feature = "async")]
    fn unplug_async(&self, cause: Cause) -> impl Future<Output = Result<Self::Resources, UnplugError>> + Send
    where
        Self: Sized + Sync,
        Self::Resources: Send + Sync,
    {
        async move { Ok(self.begin_unplug_async(cause).await?.await) }
    }
}

impl<R> DeviceLifetime<R> {
    /// Begins to unplug a device without hooks: refuses new sections and wakes the sleepers.
    ///
    /// A driver with hooks is unplugged by [`Unplug::unplug`]: this does not call them.
    ///
    /// While another thread unplugs the device, this one waits. When that one gives up, this one takes over.
    ///
    /// # Errors
    /// [`UnplugError::Deadlock`] when this thread is inside a section of the device, or unplugs it already;
    /// [`UnplugError::AlreadyUnplugged`] when another thread had the resources; [`UnplugError::FenceRefused`] when
    /// nothing can be known of the sections in flight.
    pub fn begin_unplug(&self, cause: Cause) -> Result<Draining<'_, R>, UnplugError> {
        Draining::begin(self, None, cause)
    }
}

/// The remover's role: the device is closed, sections may be in flight, the resources are still in place.
///
/// Dropping it gives the role up: the device stays closed, and the next unplug goes on from here.
#[must_use = "the resources come back from `wait`"]
pub struct Draining<'a, R> {
    lifetime: &'a DeviceLifetime<R>,
    hooks: Option<&'a dyn Unplug<Resources = R>>,
    /// How long to pause before the wake hook is called again; `None` where it does not ask for that.
    pause: Option<Duration>,
    /// Whether those who sleep have been woken since it was flagged.
    told: Cell<bool>,
    /// The role is bound to the thread: that is how unplug from inside a hook is told.
    _not_send: PhantomData<*mut ()>,
}

impl<'a, R> Draining<'a, R> {
    fn begin(
        lifetime: &'a DeviceLifetime<R>,
        hooks: Option<&'a dyn Unplug<Resources = R>>,
        cause: Cause,
    ) -> Result<Self, UnplugError> {
        let mut draining = Self::flag(lifetime, hooks, cause)?;
        draining.confirm(gate::heavy_fence())?;
        draining.cancel();
        draining.stop();
        Ok(draining)
    }

    /// The first step: takes the role and sets the flag. A heavy fence has to follow, one for all that were flagged.
    pub(super) fn flag(
        lifetime: &'a DeviceLifetime<R>,
        hooks: Option<&'a dyn Unplug<Resources = R>>,
        cause: Cause,
    ) -> Result<Self, UnplugError> {
        lifetime.core.take_role(cause)?;
        let draining = Self::with_role(lifetime, hooks, Some(Duration::ZERO));
        draining.told.set(false);
        Ok(draining)
    }

    /// For a thread that has taken the role, and goes on by itself.
    pub(super) fn with_role(
        lifetime: &'a DeviceLifetime<R>,
        hooks: Option<&'a dyn Unplug<Resources = R>>,
        pause: Option<Duration>,
    ) -> Self {
        let pause = pause.filter(|_| hooks.is_some());
        Self { lifetime, hooks, pause, told: Cell::new(true), _not_send: PhantomData }
    }

    /// Whether the heavy fence was passed. Without it the device stays closed, whoever sleeps is woken, and nothing of it
    /// is freed.
    pub(super) fn confirm(&self, fenced: bool) -> Result<(), UnplugError> {
        let mut cold = self.lifetime.core.cold().lock();
        if cold.phase == Phase::Unfenced {
            if !fenced {
                drop(cold);
                // The device is closed all the same: whoever sleeps until it goes is told. Who is not seen here, for want
                // of the fence, sees the flag when it looks.
                self.cancel();
                platform::log_error(format_args!("{}", UnplugError::FenceRefused));
                return Err(UnplugError::FenceRefused);
            }
            cold.phase = Phase::Unplugging;
            let cause = cold.cause;
            drop(cold);
            trace::step(self.lifetime.id(), Step::Closed(cause.as_ref().map(|cause| cause as _)));
        }
        Ok(())
    }

    /// The second step: wakes whoever sleeps.
    pub(super) fn cancel(&self) {
        self.told.set(true);
        if without(without::Step::Cancel) {
            return;
        }
        let core = &self.lifetime.core;
        #[cfg(all(feature = "std", target_os = "linux"))]
        core.raise_unplug_fd();
        #[cfg(feature = "std")]
        crate::wait::wake_sections(&core.gate);
        core.cancel_all();
        #[cfg(feature = "std")]
        core.pollers().wake_all();
        trace::step(self.lifetime.id(), Step::Cancelled);
    }

    /// The third step: the driver's hooks.
    pub(super) fn stop(&mut self) {
        self.stop_once();
        self.wake();
    }

    fn stop_once(&self) {
        let Some(hooks) = self.hooks else { return };
        let mut cold = self.lifetime.core.cold().lock();
        if core::mem::replace(&mut cold.stopped, true) {
            return;
        }
        let cause = cold.cause.unwrap_or(Cause::Unbind);
        drop(cold);
        self.run_hook(Work::StopHook, |resources| hooks.stop(resources, cause));
        trace::step(self.lifetime.id(), Step::Stopped);
    }

    /// How long to pause before [`wake`](Self::wake); `None` where that is not asked for.
    pub(super) const fn pause(&self) -> Option<Duration> {
        self.pause
    }

    pub(super) fn wake(&mut self) {
        const FIRST: Duration = Duration::from_millis(1);
        const LONGEST: Duration = Duration::from_millis(100);
        let (Some(hooks), Some(pause)) = (self.hooks, self.pause) else { return };
        let again = self.run_hook(Work::WakeHook, |resources| hooks.wake(resources));
        trace::step(self.lifetime.id(), Step::Woken);
        // A wake hook that panicked is not called again.
        self.pause = (again == Some(true)).then(|| (pause * 2).clamp(FIRST, LONGEST));
    }

    /// Runs the driver's code, named in reports meanwhile.
    fn run_hook<T>(&self, work: Work, hook: impl FnOnce(&R) -> T) -> Option<T> {
        let core = &self.lifetime.core;
        core.cold().lock().hook = Some(work);
        // SAFETY: this thread has the remover's role and has not moved the resources out, nor can anybody else.
        let resources = unsafe { &*self.lifetime.resources.get().cast::<R>() };
        let result = platform::catch(|| hook(resources));
        core.cold().lock().hook = None;
        if result.is_none() {
            platform::log_error(format_args!("a driver's hook panicked during unplug ({work:?}); unplug goes on"));
        }
        result
    }

    /// Waits for at most `limit` until no section is left. Whether none is.
    pub(super) fn drain(&self, limit: Duration) -> bool {
        self.lifetime.core.gate.drain(Some(limit))
    }

    /// Waits until the last section has ended, however long that takes, and returns the resources.
    pub fn wait(mut self) -> R {
        while !self.lifetime.core.gate.drain(self.pause) {
            self.wake();
        }
        self.hand_back()
    }

    /// Waits for at most `limit`, then gives the role back together with the [report](Self::report) of who is
    /// still inside. Nothing is freed then; the caller decides whether to wait on.
    ///
    /// The limit is for the sections. The driver's hooks run on this thread: whoever wants to know that one of them
    /// hangs asks for [`DeviceLifetime::report`] from another thread, as the bus does.
    ///
    /// # Errors
    /// The role, when sections are left.
    #[cfg(feature = "std")]
    pub fn wait_for(mut self, limit: Duration) -> Result<R, Self> {
        let began = std::time::Instant::now();
        loop {
            let left = limit.saturating_sub(began.elapsed());
            if self.lifetime.core.gate.drain(Some(self.pause.map_or(left, |pause| pause.min(left)))) {
                return Ok(self.hand_back());
            }
            if left.is_zero() {
                return Err(self);
            }
            self.wake();
        }
    }

    /// Who is still inside.
    pub fn report(&self) -> Report<'_> {
        self.lifetime.report()
    }

    pub(super) fn hand_back(self) -> R {
        let core = &self.lifetime.core;
        let mut cold = core.cold().lock();
        cold.phase = Phase::Gone;
        let since = cold.since;
        drop(cold);
        #[cfg(feature = "std")]
        crate::wait::end_closing(core.gate.number());
        // SAFETY: the closed gate was seen without sections, so nobody has a reference; this thread has the
        // remover's role, and a phase of `Gone` keeps every other one from it and from the value.
        // INVARIANT: moved out by the thread that set the phase.
        let resources = unsafe { ManuallyDrop::take(&mut *self.lifetime.resources.get()) };
        // A poll that was in flight may have registered after the first wake.
        #[cfg(feature = "std")]
        core.pollers().wake_all();
        trace::step(self.lifetime.id(), Step::Drained(since.map(platform::elapsed)));
        resources
    }
}

impl Core {
    /// Makes the current thread the remover, and sets the flag.
    fn take_role(&self, cause: Cause) -> Result<(), UnplugError> {
        while let Some(seen) = self.try_take_role(cause)? {
            self.gate.wait_event(seen, None);
        }
        Ok(())
    }

    /// The same, without waiting for a remover that is at it: what to wait for, where there is one.
    pub(super) fn try_take_role(&self, cause: Cause) -> Result<Option<u32>, UnplugError> {
        let here = platform::thread_id();
        // Decided before the flag: a refused unplug leaves the device as it was.
        if self.gate.is_entered_here() {
            return Err(UnplugError::Deadlock);
        }
        let mut cold = self.cold().lock();
        // The worst that was said before, too.
        let cause = cold.cause.max(Some(cause));
        if cold.phase != Phase::Plugged {
            cold.cause = cause;
        }
        match *cold {
            Cold { phase: Phase::Gone, remover: None, .. } => Err(UnplugError::AlreadyUnplugged),
            // Without threads to tell apart (0), a second unplug is another thread's.
            Cold { remover: Some(remover), .. } if remover == here && here != 0 => Err(UnplugError::Deadlock),
            Cold { remover: Some(_), .. } => {
                let seen = self.gate.event();
                drop(cold);
                Ok(Some(seen))
            }
            Cold { remover: None, .. } => {
                if cold.phase == Phase::Plugged {
                    // Under the lock: a cancellation is registered before, and called, or sees the phase.
                    cold.phase = Phase::Unfenced;
                    cold.cause = cause;
                    cold.since = platform::now();
                    #[cfg(feature = "std")]
                    crate::wait::begin_closing(self.gate.number());
                    if !without(without::Step::Flag) {
                        self.gate.close();
                    }
                }
                cold.remover = Some(here);
                Ok(None)
            }
        }
    }
}

impl<R> Drop for Draining<'_, R> {
    fn drop(&mut self) {
        // It was flagged, and another one of its group refused. Whoever sleeps until this one goes is told all the same.
        if !self.told.get() && self.confirm(gate::heavy_fence()).is_ok() {
            self.cancel();
        }
        let mut cold = self.lifetime.core.cold().lock();
        cold.remover = None;
        let given_up = cold.phase != Phase::Gone;
        drop(cold);
        if given_up {
            trace::step(self.lifetime.id(), Step::GivenUp);
        }
        // The next unplug goes on, or learns that the device is gone.
        self.lifetime.core.gate.signal();
    }
}

impl<R> fmt::Debug for Draining<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Draining").field(&self.report()).finish()
    }
}
