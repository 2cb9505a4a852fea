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
#[derive(Clone, Copy, Debug)]
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
