//! The unplug sequence: flag, cancel, stop, drain, hand back.
use super::{Cold, Core, DeviceLifetime, Phase, Report, Work};
use crate::gate;
use crate::platform;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::time::Duration;

/// Why a device is unplugged.
///
/// Ordered from the mildest to the worst: an unplug that is under way may turn into a worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The driver lets go of it: somebody wrote to `unbind`, or the driver is unloaded.
    Unbind,
    /// It is removed by software: an overlay, a bus that is rescanned. The hardware still answers.
    Removal,
    /// The hardware is gone already: its registers read as ones.
    SurpriseRemoval,
}

impl Cause {
    /// Whether the hardware still answers, so that it can and must be stopped.
    pub const fn hardware_present(self) -> bool {
        !matches!(self, Self::SurpriseRemoval)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbind => "unbind",
            Self::Removal => "removal",
            Self::SurpriseRemoval => "surprise removal",
        })
    }
}

/// Why an unplug did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnplugError {
    /// The calling thread is inside a section of this device, or is unplugging it: it would wait for itself.
    /// The device stays as it was. Converts into `EDEADLK`.
    Deadlock,
    /// Another unplug has the resources. It was waited for. Converts into `ENODEV`.
    AlreadyUnplugged,
    /// The system refuses the fence that tells whether a section is open: `membarrier(2)` worked when the first
    /// section was opened, and does not any more, as under a seccomp filter that was installed since. The device
    /// is closed, the resources stay where they are, and nothing is freed; another unplug tries again. Converts
    /// into `EPERM`.
    FenceRefused,
}

impl fmt::Display for UnplugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadlock => "unplug from inside a section of the same device would wait for itself",
            Self::AlreadyUnplugged => "the device was unplugged by somebody else",
            Self::FenceRefused => "membarrier(2) is refused: the device is closed, and its resources are kept",
        })
    }
}

impl core::error::Error for UnplugError {}

impl From<UnplugError> for crate::Errno {
    fn from(error: UnplugError) -> Self {
        match error {
            UnplugError::Deadlock => Self::EDEADLK,
            UnplugError::AlreadyUnplugged => Self::ENODEV,
            UnplugError::FenceRefused => Self::EPERM,
        }
    }
}

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
        Ok(Self { lifetime, hooks, pause: hooks.map(|_| Duration::ZERO), _not_send: PhantomData })
    }

    /// Whether the heavy fence was passed. Without it the device stays closed, and nothing of it is freed.
    pub(super) fn confirm(&self, fenced: bool) -> Result<(), UnplugError> {
        let mut cold = self.lifetime.core.cold().lock();
        if cold.phase == Phase::Unfenced {
            if !fenced {
                drop(cold);
                platform::log_error(format_args!("{}", UnplugError::FenceRefused));
                return Err(UnplugError::FenceRefused);
            }
            cold.phase = Phase::Unplugging;
        }
        Ok(())
    }

    /// The second step: wakes whoever sleeps.
    pub(super) fn cancel(&self) {
        let core = &self.lifetime.core;
        #[cfg(feature = "std")]
        crate::wait::wake_sections(&core.gate);
        core.cancel_all();
        #[cfg(feature = "std")]
        core.pollers().wake_all();
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

    fn hand_back(self) -> R {
        let core = &self.lifetime.core;
        core.cold().lock().phase = Phase::Gone;
        #[cfg(feature = "std")]
        crate::wait::end_closing(core.gate.number());
        // SAFETY: the closed gate was seen without sections, so nobody has a reference; this thread has the
        // remover's role, and a phase of `Gone` keeps every other one from it and from the value.
        // INVARIANT: moved out by the thread that set the phase.
        let resources = unsafe { ManuallyDrop::take(&mut *self.lifetime.resources.get()) };
        // A poll that was in flight may have registered after the first wake.
        #[cfg(feature = "std")]
        core.pollers().wake_all();
        resources
    }
}

impl Core {
    /// Makes the current thread the remover, and sets the flag.
    fn take_role(&self, cause: Cause) -> Result<(), UnplugError> {
        let here = platform::thread_id();
        loop {
            // Decided before the flag: a refused unplug leaves the device as it was.
            if self.gate.is_entered_here() {
                return Err(UnplugError::Deadlock);
            }
            let mut cold = self.cold().lock();
            if cold.phase != Phase::Plugged {
                cold.cause = cold.cause.max(Some(cause));
            }
            match *cold {
                Cold { phase: Phase::Gone, remover: None, .. } => return Err(UnplugError::AlreadyUnplugged),
                // Without threads to tell apart (0), a second unplug is another thread's.
                Cold { remover: Some(remover), .. } if remover == here && here != 0 => {
                    return Err(UnplugError::Deadlock);
                }
                Cold { remover: Some(_), .. } => {
                    let seen = self.gate.event();
                    drop(cold);
                    self.gate.wait_event(seen, None);
                }
                Cold { remover: None, .. } => {
                    if cold.phase == Phase::Plugged {
                        // Under the lock: a cancellation is registered before, and called, or sees the phase.
                        cold.phase = Phase::Unfenced;
                        cold.cause = Some(cause);
                        cold.since = platform::now();
                        #[cfg(feature = "std")]
                        crate::wait::begin_closing(self.gate.number());
                        self.gate.close();
                    }
                    cold.remover = Some(here);
                    return Ok(());
                }
            }
        }
    }
}

impl<R> Drop for Draining<'_, R> {
    fn drop(&mut self) {
        self.lifetime.core.cold().lock().remover = None;
        // The next unplug goes on, or learns that the device is gone.
        self.lifetime.core.gate.signal();
    }
}

impl<R> fmt::Debug for Draining<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Draining").field(&self.report()).finish()
    }
}
