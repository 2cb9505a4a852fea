//! The handles of which the resources should have the last one.
use core::fmt;
use core::panic::Location;
#[cfg(feature = "std")]
extern crate std;

/// Resources that show the shared handles they own: each [`Arc`](std::sync::Arc) and [`Rc`](std::rc::Rc).
///
/// A clone of such a handle, taken out of a section, is the one use after unplug that the borrow checker does not see. So
/// unplug looks at each handle when the last section has ended. If there are clones outside of the resources, it does what
/// [`OnEscape`](crate::OnEscape) says: by default it logs an error for each [`Escape`](crate::Escape). A
/// [`Weak`](std::sync::Weak) handle counts too, because it can become a strong one as long as the remover has the resources.
///
/// `#[derive(Resources)]` on the type of the resources, and on the structures within it, is all that the driver writes. The
/// impls of `#[guarded_fops(.., unplug(..))]` find it.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use fops_runtime::{Access, Cause, DeviceLifetime, Resources, Result, Unplug, UnplugError, guarded_fops};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// struct Clock;
/// #[derive(Resources)]
/// struct Registers { clock: Arc<Clock>, _base: u64 }
///
/// struct Timer { lifetime: DeviceLifetime<Registers> }
/// #[guarded_fops(lifetime = lifetime, default = guarded, unplug(escapes = wait))]
/// impl Timer {
///     fn clock(&self, #[access] hw: &Access<'_, Registers>) -> Result<Arc<Clock>> { Ok(hw.clock.clone()) }
/// }
///
/// let timer = Timer { lifetime: DeviceLifetime::new(Registers { clock: Arc::new(Clock), _base: 0 }) };
/// let escaped = timer.clock()?;
/// let draining = timer.begin_unplug(Cause::Unbind)?.wait_for(Duration::from_millis(1)).err().unwrap();
/// assert!(draining.report().to_string().starts_with("`Registers::clock` ("));
/// drop(escaped);
/// assert!(draining.wait_for(Duration::from_secs(10)).is_ok());
/// # }
/// # Ok::<(), fops_runtime::Errno>(())
/// ```
///
/// # What is looked at
/// Fields of a type that implements this trait: `Arc` and `Rc`, `Option`, `Box`, `Vec` and arrays of such types, and whatever
/// derives it. Nothing is said of other fields. Clones that the resources own themselves are no escapes. A generic field
/// is looked at if the structure says `T: Resources`. What is behind an `Arc`, a lock or a cell is not looked at.
///
/// A field whose clones may outlive the device says why. The reason is for the reader:
///
/// ```
/// # use fops_runtime::Resources;
/// # use std::sync::Arc;
/// # struct Regulator;
/// #[derive(Resources)]
/// struct Registers {
///     #[resources(shared, reason = "the regulator feeds other devices too")]
///     supply: Arc<Regulator>,
/// }
/// ```
///
/// If the runtime has another name in the driver's crate, the structure says `#[resources(crate = <path>)]`.
pub trait Resources {
    /// Shows each handle.
    fn handles(&self, handles: &mut Handles<'_>);
}

/// Where [`Resources`] show their handles.
pub struct Handles<'a> {
    see: &'a mut dyn FnMut(Handle),
    place: Option<Place>,
}

impl<'a> Handles<'a> {
    pub(super) fn new(see: &'a mut dyn FnMut(Handle)) -> Self {
        Self { see, place: None }
    }

    /// For the handles of a field, such as `VinPort::clock`, at the caller's place in the source.
    #[track_caller]
    pub fn of(&mut self, field: &'static str) -> Handles<'_> {
        Handles { see: &mut *self.see, place: Some(Place { field, location: Location::caller() }) }
    }

    #[cfg(feature = "std")]
    fn show<T>(&mut self, address: *const (), strong: usize, weak: usize) {
        (self.see)(Handle {
            place: self.place,
            type_name: core::any::type_name::<T>,
            address: address.addr(),
            strong,
            weak,
        });
    }
}

impl fmt::Debug for Handles<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handles").field("place", &self.place).finish_non_exhaustive()
    }
}

/// What unplug does if clones of the resources' handles are left when the last section has ended.
///
/// The driver says it by `unplug(escapes = log)`, `panic` or `wait`. See [`Resources`](crate::Resources).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnEscape {
    /// It logs an error for each and hands the resources back. The default.
    Log,
    /// For tests: as [`Log`](Self::Log), and then the unplug panics on its thread, before it hands the resources back. They
    /// stay in place, and the next unplug looks again. Without debug assertions it does not panic, as `debug_assert!` does
    /// not.
    Panic,
    /// It waits until the last clone is dropped, and hands the resources back then. The report names each clone, and a
    /// deadline ([`Draining::wait_for`](crate::Draining::wait_for)) covers this wait too. No clone tells when it is dropped, so
    /// unplug looks every 1 to 100 ms.
    Wait,
}

/// A handle of the resources that is not the last one, when all sections have ended.
///
/// Displays as `` `VinPort::clock` (src/core.rs:42), an `alloc::sync::Arc<Clock>`, has a clone outside``.
#[derive(Clone, Copy)]
pub struct Escape {
    place: Option<Place>,
    type_name: fn() -> &'static str,
    clones: u32,
    weak: u32,
}

impl Escape {
    pub(super) fn of(handle: &Handle, clones: usize) -> Self {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        let Handle { place, type_name, weak, .. } = *handle;
        Self { place, type_name, clones: count(clones), weak: count(weak) }
    }

    /// The field, such as `VinPort::clock`, where its structure derives [`Resources`](crate::Resources).
    pub fn field(&self) -> Option<&'static str> {
        self.place.map(|place| place.field)
    }

    /// The line in the driver's source where its structure derives [`Resources`](crate::Resources).
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.place.map(|place| place.location)
    }

    /// The type of the handle.
    pub fn type_name(&self) -> &'static str {
        (self.type_name)()
    }

    /// How many clones there are outside of the resources, without the weak ones.
    pub const fn clones(&self) -> u32 {
        self.clones
    }

    /// How many weak handles there are.
    pub const fn weak(&self) -> u32 {
        self.weak
    }
}

impl PartialEq for Escape {
    fn eq(&self, other: &Self) -> bool {
        let seen = |escape: &Self| (escape.place, escape.type_name(), escape.clones, escape.weak);
        seen(self) == seen(other)
    }
}

impl Eq for Escape {}

impl fmt::Display for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(Place { field, location }) => {
                write!(f, "`{field}` ({}:{}), an `{}`,", location.file(), location.line(), self.type_name())?;
            }
            None => write!(f, "the `{}` of the resources", self.type_name())?,
        }
        match (self.clones, self.weak) {
            (1, 0) => f.write_str(" has a clone outside"),
            (n, 0) => write!(f, " has {n} clones outside"),
            (0, 1) => f.write_str(" has a weak handle outside"),
            (0, weak) => write!(f, " has {weak} weak handles outside"),
            (n, weak) => write!(f, " has {n} clones and {weak} weak handles outside"),
        }
    }
}

impl fmt::Debug for Escape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Escape({self})")
    }
}

/// A handle that the resources own.
#[derive(Clone, Copy)]
pub(super) struct Handle {
    pub(super) place: Option<Place>,
    pub(super) type_name: fn() -> &'static str,
    /// Of what it leads to, to tell which handles lead to the same.
    pub(super) address: usize,
    /// How many handles there are, with this one.
    pub(super) strong: usize,
    pub(super) weak: usize,
}

/// The field that has a handle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    /// With its structure's name.
    pub(super) field: &'static str,
    pub(super) location: &'static Location<'static>,
}

#[cfg(feature = "std")]
impl<T: ?Sized> Resources for std::sync::Arc<T> {
    fn handles(&self, handles: &mut Handles<'_>) {
        handles.show::<Self>(Self::as_ptr(self).cast(), Self::strong_count(self), Self::weak_count(self));
    }
}

#[cfg(feature = "std")]
impl<T: ?Sized> Resources for std::rc::Rc<T> {
    fn handles(&self, handles: &mut Handles<'_>) {
        handles.show::<Self>(Self::as_ptr(self).cast(), Self::strong_count(self), Self::weak_count(self));
    }
}

#[cfg(feature = "std")]
impl<T: Resources + ?Sized> Resources for std::boxed::Box<T> {
    fn handles(&self, handles: &mut Handles<'_>) {
        (**self).handles(handles);
    }
}

#[cfg(feature = "std")]
impl<T: Resources> Resources for std::vec::Vec<T> {
    fn handles(&self, handles: &mut Handles<'_>) {
        self.iter().for_each(|one| one.handles(handles));
    }
}

impl<T: Resources> Resources for Option<T> {
    fn handles(&self, handles: &mut Handles<'_>) {
        self.iter().for_each(|one| one.handles(handles));
    }
}

impl<T: Resources, const N: usize> Resources for [T; N] {
    fn handles(&self, handles: &mut Handles<'_>) {
        self.iter().for_each(|one| one.handles(handles));
    }
}
