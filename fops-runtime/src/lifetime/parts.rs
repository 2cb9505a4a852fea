//! What goes together: one device, a device with its subdevs, several devices.
use super::cause::Cause;
use super::device::Device;
use super::device_lifetime::DeviceLifetime;
use super::resources::{Handles, OnEscape};
use super::state::{Core, Phase, Role};
use core::fmt;

/// Devices that are unplugged as one: what [`Unpluggable::parts`](super::Unpluggable::parts) returns.
///
/// A [`Part`] is one device. Tuples of parts, up to eight, and vectors of parts are several, parents before children.
/// Nothing else implements this trait, so no step of an unplug can be left out from outside.
pub trait Parts: Sealed {}

impl<P: Sealed> Parts for P {}

/// The steps see parts through this.
pub trait Sealed: Sized {
    /// What comes back: the resources of each.
    type Resources;

    /// The devices, parents before children. Runs no code of a driver's.
    fn members(&self) -> impl Iterator<Item = Member<'_>>;

    /// Which of the devices have been unplugged.
    fn standing(&self) -> Standing;

    /// Moves the resources out, once no section of any member is left.
    fn hand_back(self, role: &Role) -> Self::Resources;
}

/// Whether the resources of some devices are there, and those of others are not. A child that has gone counts as neither.
#[derive(Clone, Copy, Default)]
pub struct Standing {
    /// Another unplug had the resources of one: there is nothing to hand back.
    pub(super) has_gone: bool,
    has_left: bool,
    /// Of a child with several devices, one has gone and another has not. If no unplug is at it, this stays so.
    pub(super) is_torn: bool,
}

impl Standing {
    fn and(self, other: Self) -> Self {
        Self {
            has_gone: self.has_gone | other.has_gone,
            has_left: self.has_left | other.has_left,
            is_torn: self.is_torn | other.is_torn,
        }
    }

    /// All of a child has gone, so its parent goes without it.
    const fn is_gone(self) -> bool {
        self.has_gone && !self.has_left
    }
}

/// One device of those that are unplugged together.
#[derive(Clone, Copy)]
pub struct Member<'m> {
    part: &'m dyn AnyPart,
    /// The worst cause that this one is told.
    worst: Cause,
    /// It goes with another one, and may have gone by itself before.
    pub(super) is_child: bool,
}

/// A part without the type of its resources.
trait AnyPart {
    fn core(&self) -> &Core;
    fn has_hooks(&self) -> bool;
    /// # Safety
    /// The caller has the remover's role of the device, and the resources are still in place.
    unsafe fn stop(&self, cause: Cause);
    /// # Safety
    /// As for `stop`.
    unsafe fn wake(&self) -> bool;
    fn name(&self) -> &'static str;
    fn on_escape(&self) -> OnEscape;
    /// # Safety
    /// As for `stop`.
    unsafe fn handles(&self, handles: &mut Handles<'_>);
}

impl<'m> Member<'m> {
    pub(super) fn core(&self) -> &'m Core {
        self.part.core()
    }

    /// What this device is told where the whole goes for `cause`.
    pub(super) fn cause(&self, cause: Cause) -> Cause {
        cause.min(self.worst)
    }

    pub(super) fn has_hooks(&self) -> bool {
        self.part.has_hooks()
    }

    /// Calls the driver's stop hook.
    ///
    /// # Safety
    /// The caller has the remover's role of the device, and the resources are still in place.
    pub(super) unsafe fn stop(&self, cause: Cause) {
        // SAFETY: as the caller says.
        unsafe { self.part.stop(cause) }
    }

    /// Calls the driver's wake hook.
    ///
    /// # Safety
    /// As for [`stop`](Self::stop).
    pub(super) unsafe fn wake(&self) -> bool {
        // SAFETY: as the caller says.
        unsafe { self.part.wake() }
    }

    /// The name of the device's type.
    pub(super) fn name(&self) -> &'static str {
        self.part.name()
    }

    pub(super) fn on_escape(&self) -> OnEscape {
        self.part.on_escape()
    }

    /// Shows the handles that the resources own.
    ///
    /// # Safety
    /// As for [`stop`](Self::stop).
    pub(super) unsafe fn handles(&self, handles: &mut Handles<'_>) {
        // SAFETY: as the caller says.
        unsafe { self.part.handles(handles) }
    }
}

/// One device among [`Parts`]: its lifetime and its hooks.
pub struct Part<'a, R> {
    lifetime: &'a DeviceLifetime<R>,
    hooks: Option<&'a dyn Device<Resources = R>>,
    /// Of the device's type.
    name: &'static str,
}

impl<'a, R> Part<'a, R> {
    /// The device by itself, without its subdevs: those are parts of their own.
    pub fn of<D: Device<Resources = R>>(device: &'a D) -> Self {
        Self { lifetime: device.lifetime(), hooks: Some(device), name: core::any::type_name::<D>() }
    }

    pub(super) const fn alone(lifetime: &'a DeviceLifetime<R>) -> Self {
        Self { lifetime, hooks: None, name: "" }
    }
}

impl<R> fmt::Debug for Part<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Part").field(self.lifetime).finish()
    }
}

impl<R> AnyPart for Part<'_, R> {
    fn core(&self) -> &Core {
        &self.lifetime.core
    }

    fn has_hooks(&self) -> bool {
        self.hooks.is_some()
    }

    unsafe fn stop(&self, cause: Cause) {
        // SAFETY: as the caller says.
        let resources = unsafe { self.lifetime.resources() };
        if let Some(hooks) = self.hooks {
            hooks.stop(resources, cause);
        }
    }

    unsafe fn wake(&self) -> bool {
        // SAFETY: as the caller says.
        let resources = unsafe { self.lifetime.resources() };
        self.hooks.is_some_and(|hooks| hooks.wake(resources))
    }

    fn name(&self) -> &'static str {
        self.name
    }

    fn on_escape(&self) -> OnEscape {
        self.hooks.map_or(OnEscape::Log, |hooks| hooks.on_escape())
    }

    unsafe fn handles(&self, handles: &mut Handles<'_>) {
        // SAFETY: as the caller says.
        let resources = unsafe { self.lifetime.resources() };
        if let Some(hooks) = self.hooks {
            hooks.handles(resources, handles);
        }
    }
}

impl<R> Sealed for Part<'_, R> {
    type Resources = R;

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        core::iter::once(Member { part: self, worst: Cause::SurpriseRemoval, is_child: false })
    }

    fn standing(&self) -> Standing {
        let has_gone = self.lifetime.core.cold().lock().phase == Phase::Gone;
        Standing { has_gone, has_left: !has_gone, is_torn: false }
    }

    fn hand_back(self, role: &Role) -> R {
        self.lifetime.hand_back(role)
    }
}

/// Parts whose hardware is there, whatever has become of the others': see [`Present`](super::Present).
pub(super) struct Capped<P>(pub(super) P);

impl<P: Sealed> Sealed for Capped<P> {
    type Resources = P::Resources;

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.0.members().map(|member| Member { worst: member.worst.min(Cause::Removal), ..member })
    }

    fn standing(&self) -> Standing {
        self.0.standing()
    }

    fn hand_back(self, role: &Role) -> P::Resources {
        self.0.hand_back(role)
    }
}

/// Parts that may be gone when the rest goes: see [`Part::child`](super::Part::child).
pub(super) struct Child<P>(pub(super) P);

impl<P: Sealed> Sealed for Child<P> {
    type Resources = Option<P::Resources>;

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.0.members().map(|member| Member { is_child: true, ..member })
    }

    fn standing(&self) -> Standing {
        match self.0.standing() {
            standing if standing.is_gone() => Standing::default(),
            standing => Standing { has_gone: false, is_torn: standing.is_torn | standing.has_gone, ..standing },
        }
    }

    fn hand_back(self, role: &Role) -> Self::Resources {
        // This unplug has the roles of the others, so no child goes from here on.
        (!self.0.standing().is_gone()).then(|| self.0.hand_back(role))
    }
}

/// As many as there are.
#[cfg(feature = "std")]
impl<P: Sealed> Sealed for std::vec::Vec<P> {
    type Resources = std::vec::Vec<P::Resources>;

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.iter().flat_map(P::members)
    }

    fn standing(&self) -> Standing {
        self.iter().map(P::standing).fold(Standing::default(), Standing::and)
    }

    fn hand_back(self, role: &Role) -> Self::Resources {
        self.into_iter().map(|part| part.hand_back(role)).collect()
    }
}

/// Nothing, among other parts.
impl Sealed for () {
    type Resources = ();

    fn members(&self) -> impl Iterator<Item = Member<'_>> {
        core::iter::empty()
    }

    fn standing(&self) -> Standing {
        Standing::default()
    }

    fn hand_back(self, _: &Role) {}
}

macro_rules! tuples {
    ($(($first:ident $($part:ident $number:tt),*);)*) => {
        $(impl<$first: Sealed $(, $part: Sealed)*> Sealed for ($first, $($part,)*) {
            type Resources = ($first::Resources, $($part::Resources,)*);

            fn members(&self) -> impl Iterator<Item = Member<'_>> {
                self.0.members()$(.chain(self.$number.members()))*
            }

            fn standing(&self) -> Standing {
                self.0.standing()$(.and(self.$number.standing()))*
            }

            fn hand_back(self, role: &Role) -> Self::Resources {
                (self.0.hand_back(role), $(self.$number.hand_back(role),)*)
            }
        })*
    };
}

tuples! {
    (A);
    (A B 1);
    (A B 1, C 2);
    (A B 1, C 2, D 3);
    (A B 1, C 2, D 3, E 4);
    (A B 1, C 2, D 3, E 4, F 5);
    (A B 1, C 2, D 3, E 4, F 5, G 6);
    (A B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}
