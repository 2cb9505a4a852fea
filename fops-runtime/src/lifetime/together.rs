//! What can be unplugged beside a device: references, several devices, a bare lifetime.
use super::device_lifetime::DeviceLifetime;
use super::parts::{Capped, Part, Parts};
use super::unpluggable::Unpluggable;
use core::fmt;

impl<D: Unpluggable + ?Sized> Unpluggable for &D {
    type Resources = D::Resources;

    fn parts(&self) -> impl Parts<Resources = D::Resources> {
        (**self).parts()
    }
}

/// A device that is shared.
#[cfg(feature = "std")]
impl<D: Unpluggable + ?Sized> Unpluggable for std::sync::Arc<D> {
    type Resources = D::Resources;

    fn parts(&self) -> impl Parts<Resources = D::Resources> {
        (**self).parts()
    }
}

/// As many as there are.
#[cfg(feature = "std")]
impl<D: Unpluggable> Unpluggable for std::vec::Vec<D> {
    type Resources = std::vec::Vec<D::Resources>;

    fn parts(&self) -> impl Parts<Resources = Self::Resources> {
        self.iter().map(D::parts).collect::<std::vec::Vec<_>>()
    }
}

macro_rules! tuples {
    ($(($($device:ident $number:tt),+);)*) => {
        $(impl<$($device: Unpluggable),+> Unpluggable for ($($device,)+) {
            type Resources = ($($device::Resources,)+);

            fn parts(&self) -> impl Parts<Resources = Self::Resources> {
                ($(self.$number.parts(),)+)
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

/// Members of a group whose own hardware is there, whatever has become of the others': a surprise removal of the group is
/// a mere [removal](super::Cause::Removal) to their stop hooks.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Present, Unplug};
///
/// let (pulled, other) = (DeviceLifetime::new(()), DeviceLifetime::new(()));
/// (pulled.alone(), Present(other.alone())).unplug(Cause::SurpriseRemoval).unwrap();
/// assert_eq!(pulled.cause(), Some(Cause::SurpriseRemoval));
/// assert_eq!(other.cause(), Some(Cause::Removal));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Present<D>(pub D);

impl<D: Unpluggable> Unpluggable for Present<D> {
    type Resources = D::Resources;

    fn parts(&self) -> impl Parts<Resources = D::Resources> {
        Capped(self.0.parts())
    }
}

/// A lifetime that is a whole device: without hooks, and nothing goes with it. Made by [`DeviceLifetime::alone`].
#[repr(transparent)]
pub struct Alone<R>(DeviceLifetime<R>);

impl<R> DeviceLifetime<R> {
    /// This lifetime as a device of its own, for a program that opens its sections by hand and has no hooks.
    ///
    /// A driver is unplugged by [`Unplug`](super::Unplug), never by this: its hooks would not run, and its subdevs would stay.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    ///
    /// let lifetime = DeviceLifetime::new("port");
    /// assert_eq!(lifetime.alone().unplug(Cause::Unbind), Ok("port"));
    /// ```
    pub const fn alone(&self) -> &Alone<R> {
        // SAFETY: `Alone` is transparent: nothing but a lifetime.
        unsafe { &*core::ptr::from_ref(self).cast() }
    }
}

impl<R> Unpluggable for Alone<R> {
    type Resources = R;

    fn parts(&self) -> impl Parts<Resources = R> {
        Part::alone(&self.0)
    }
}

impl<R> fmt::Debug for Alone<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
