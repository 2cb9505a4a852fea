//! Several devices that go together: all are closed before any is waited for.
use super::unplug::{Draining, Unplug};
use super::{Cause, UnplugError};
use crate::gate;
use core::time::Duration;

/// Devices that are unplugged as one: a device and its subdevs, or several nodes of one piece of hardware.
///
/// Implemented for a reference to anything that implements [`Unplug`], and for tuples and vectors of such, parents before
/// children. An operation of one device that waits for another one of the group cannot deadlock the unplug: all are
/// flagged, then all sleepers are woken, then all are stopped, and only then the first is waited for. The resources come
/// back in the order of the tuple; whoever tears them down takes children first.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Group, Unplug};
///
/// struct Part(DeviceLifetime<&'static str>);
/// impl Unplug for Part {
///     type Resources = &'static str;
///     fn lifetime(&self) -> &DeviceLifetime<&'static str> { &self.0 }
/// }
///
/// let (vin, csi2) = (Part(DeviceLifetime::new("vin")), Part(DeviceLifetime::new("csi2")));
/// assert_eq!((&vin, &csi2).unplug_group(Cause::Unbind), Ok(("vin", "csi2")));
/// ```
pub trait Group: Sized {
    /// What comes back: the resources of each.
    type Resources;
    /// The remover's role for each.
    #[doc(hidden)]
    type Drainings;

    /// Whether this thread is inside a section of one of them.
    #[doc(hidden)]
    fn is_entered_here(&self) -> bool;
    #[doc(hidden)]
    fn flag(self, cause: Cause) -> Result<Self::Drainings, UnplugError>;
    #[doc(hidden)]
    fn confirm(drainings: &Self::Drainings, fenced: bool) -> Result<(), UnplugError>;
    #[doc(hidden)]
    fn cancel(drainings: &Self::Drainings);
    #[doc(hidden)]
    fn stop(drainings: &mut Self::Drainings);
    /// How long to pause before the wake hooks are called again, where one asks for that.
    #[doc(hidden)]
    fn pause(drainings: &Self::Drainings) -> Option<Duration>;
    #[doc(hidden)]
    fn drain(drainings: &Self::Drainings, limit: Duration) -> bool;
    #[doc(hidden)]
    fn wake(drainings: &mut Self::Drainings);
    #[doc(hidden)]
    fn wait(drainings: Self::Drainings) -> Self::Resources;

    /// Unplugs all of them and returns their resources, once nobody uses any of them.
    ///
    /// # Errors
    /// [`UnplugError::Deadlock`] when this thread is inside a section of one of them; all stay as they were then.
    /// [`UnplugError::AlreadyUnplugged`] and [`UnplugError::FenceRefused`] for the first that says so: those before it
    /// are closed then, their sleepers are woken, and an unplug of theirs goes on from there.
    fn unplug_group(self, cause: Cause) -> Result<Self::Resources, UnplugError> {
        if self.is_entered_here() {
            return Err(UnplugError::Deadlock);
        }
        let mut drainings = self.flag(cause)?;
        // One for all, however many there are. Whoever is refused here or above, the others wake their sleepers when they
        // are dropped.
        Self::confirm(&drainings, gate::heavy_fence())?;
        Self::cancel(&drainings);
        Self::stop(&mut drainings);
        // An operation of one may sleep where only the hook of another can wake it.
        while let Some(pause) = Self::pause(&drainings)
            && !Self::drain(&drainings, pause)
        {
            Self::wake(&mut drainings);
        }
        Ok(Self::wait(drainings))
    }
}

impl<'a, D: Unplug> Group for &'a D {
    type Resources = D::Resources;
    type Drainings = Draining<'a, D::Resources>;

    fn is_entered_here(&self) -> bool {
        self.lifetime().core.gate.is_entered_here()
    }

    fn flag(self, cause: Cause) -> Result<Self::Drainings, UnplugError> {
        Draining::flag(self.lifetime(), Some(self), cause)
    }

    fn confirm(draining: &Self::Drainings, fenced: bool) -> Result<(), UnplugError> {
        draining.confirm(fenced)
    }

    fn cancel(draining: &Self::Drainings) {
        draining.cancel();
    }

    fn stop(draining: &mut Self::Drainings) {
        draining.stop();
    }

    fn pause(draining: &Self::Drainings) -> Option<Duration> {
        draining.pause()
    }

    fn drain(draining: &Self::Drainings, limit: Duration) -> bool {
        draining.drain(limit)
    }

    fn wake(draining: &mut Self::Drainings) {
        draining.wake();
    }

    fn wait(draining: Self::Drainings) -> Self::Resources {
        draining.wait()
    }
}

/// Members of a group whose own hardware is there, whatever has become of the others': a surprise removal of the group is
/// a mere [removal](Cause::Removal) to their stop hooks.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Group, Present, Unplug};
///
/// struct Part(DeviceLifetime<()>);
/// impl Unplug for Part {
///     type Resources = ();
///     fn lifetime(&self) -> &DeviceLifetime<()> { &self.0 }
/// }
///
/// let (pulled, other) = (Part(DeviceLifetime::new(())), Part(DeviceLifetime::new(())));
/// (&pulled, Present(&other)).unplug_group(Cause::SurpriseRemoval).unwrap();
/// assert_eq!(pulled.lifetime().cause(), Some(Cause::SurpriseRemoval));
/// assert_eq!(other.lifetime().cause(), Some(Cause::Removal));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Present<G>(pub G);

impl<G: Group> Group for Present<G> {
    type Resources = G::Resources;
    type Drainings = G::Drainings;

    fn is_entered_here(&self) -> bool {
        self.0.is_entered_here()
    }

    fn flag(self, cause: Cause) -> Result<Self::Drainings, UnplugError> {
        self.0.flag(cause.min(Cause::Removal))
    }

    fn confirm(drainings: &Self::Drainings, fenced: bool) -> Result<(), UnplugError> {
        G::confirm(drainings, fenced)
    }

    fn cancel(drainings: &Self::Drainings) {
        G::cancel(drainings);
    }

    fn stop(drainings: &mut Self::Drainings) {
        G::stop(drainings);
    }

    fn pause(drainings: &Self::Drainings) -> Option<Duration> {
        G::pause(drainings)
    }

    fn drain(drainings: &Self::Drainings, limit: Duration) -> bool {
        G::drain(drainings, limit)
    }

    fn wake(drainings: &mut Self::Drainings) {
        G::wake(drainings);
    }

    fn wait(drainings: Self::Drainings) -> Self::Resources {
        G::wait(drainings)
    }
}

/// As many as there are.
#[cfg(feature = "std")]
impl<G: Group> Group for std::vec::Vec<G> {
    type Resources = std::vec::Vec<G::Resources>;
    type Drainings = std::vec::Vec<G::Drainings>;

    fn is_entered_here(&self) -> bool {
        self.iter().any(G::is_entered_here)
    }

    fn flag(self, cause: Cause) -> Result<Self::Drainings, UnplugError> {
        self.into_iter().map(|member| member.flag(cause)).collect()
    }

    fn confirm(drainings: &Self::Drainings, fenced: bool) -> Result<(), UnplugError> {
        drainings.iter().try_for_each(|draining| G::confirm(draining, fenced))
    }

    fn cancel(drainings: &Self::Drainings) {
        drainings.iter().for_each(G::cancel);
    }

    fn stop(drainings: &mut Self::Drainings) {
        drainings.iter_mut().for_each(G::stop);
    }

    fn pause(drainings: &Self::Drainings) -> Option<Duration> {
        drainings.iter().filter_map(G::pause).min()
    }

    fn drain(drainings: &Self::Drainings, limit: Duration) -> bool {
        drainings.iter().all(|draining| G::drain(draining, limit))
    }

    fn wake(drainings: &mut Self::Drainings) {
        drainings.iter_mut().for_each(G::wake);
    }

    fn wait(drainings: Self::Drainings) -> Self::Resources {
        drainings.into_iter().map(G::wait).collect()
    }
}

macro_rules! tuples {
    ($(($($member:ident $number:tt),+);)*) => {
        $(impl<$($member: Group),+> Group for ($($member,)+) {
            type Resources = ($($member::Resources,)+);
            type Drainings = ($($member::Drainings,)+);

            fn is_entered_here(&self) -> bool {
                $(self.$number.is_entered_here())||+
            }

            fn flag(self, cause: Cause) -> Result<Self::Drainings, UnplugError> {
                Ok(($(self.$number.flag(cause)?,)+))
            }

            fn confirm(drainings: &Self::Drainings, fenced: bool) -> Result<(), UnplugError> {
                $($member::confirm(&drainings.$number, fenced)?;)+
                Ok(())
            }

            fn cancel(drainings: &Self::Drainings) {
                $($member::cancel(&drainings.$number);)+
            }

            fn stop(drainings: &mut Self::Drainings) {
                $($member::stop(&mut drainings.$number);)+
            }

            fn pause(drainings: &Self::Drainings) -> Option<Duration> {
                [$($member::pause(&drainings.$number)),+].into_iter().flatten().min()
            }

            fn drain(drainings: &Self::Drainings, limit: Duration) -> bool {
                $($member::drain(&drainings.$number, limit))&&+
            }

            fn wake(drainings: &mut Self::Drainings) {
                $($member::wake(&mut drainings.$number);)+
            }

            fn wait(drainings: Self::Drainings) -> Self::Resources {
                ($($member::wait(drainings.$number),)+)
            }
        })*
    };
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
