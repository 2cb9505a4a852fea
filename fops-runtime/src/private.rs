//! What the expansion of `#[guarded_fops]` calls and users do not.
//!
//! It is public because the expansion is part of the driver's crate. It may change with any release.
use crate::fops::AfterUnplug;
use crate::lifetime::DeviceLifetime;
use core::ops::Deref;

pub use crate::op::key;
#[cfg(feature = "std")]
pub use crate::subdev::HasReleaseOp;

/// The answer of an operation that returns `T`, once the device is gone.
#[inline]
pub fn after_unplug<T: AfterUnplug>() -> T {
    T::after_unplug()
}

/// Stands in for an access after the macro reported an error, so that the error stays the only one.
pub fn any<T>() -> T {
    unreachable!("the macro reported an error: this does not run")
}

/// The value of a `lifetime = <expression>`, if that leads to a lifetime which outlives the call.
#[inline]
pub fn lasting<P: LeadsToLifetime>(pointer: &P) -> &P {
    pointer
}

/// A pointer to a [`DeviceLifetime`]: a reference, an `Arc`, or whatever dereferences to one.
///
/// A lifetime by value is none. It was made for this call, so nobody unplugs it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not lead to the `DeviceLifetime` of a device",
    label = "expected a reference to a `DeviceLifetime`, or an `Arc` of one",
    note = "a `DeviceLifetime` that is made for each call guards nothing: keep it in a field and write `lifetime = <field>`, \
            or return a reference to it"
)]
pub trait LeadsToLifetime {}

#[diagnostic::do_not_recommend]
impl<P: Deref<Target: Place>> LeadsToLifetime for P {}

/// A [`DeviceLifetime`] behind any number of pointers.
pub trait Place {}

impl<R> Place for DeviceLifetime<R> {}

impl<P: Deref<Target: Place>> Place for P {}

/// Not implemented. Where a type has no method of a hook's name, the path to the hook leads to a stand-in that needs this.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no method of this name for unplug to call",
    label = "no method of an `impl {Self}` block has this name",
    note = "a hook is a method of the driver's own, outside of traits and of `#[guarded_fops]`",
    note = "`fn stop(&self, resources: &R, cause: Cause)` or `fn wake(&self, resources: &R)`, by any name, where `R` is the type of \
            the resources"
)]
pub trait HasHook {}

/// The path to a method of the type whose impl it stands in. Its first token is in this file.
#[doc(hidden)]
#[macro_export]
macro_rules! __inherent {
    ($method:ident) => {
        Self::$method
    };
}
pub use __inherent as inherent;

/// Takes the `unplug` that a path on the device's type leads to, and that of the trait `Unplug`.
#[inline]
pub fn one_unplug<F: OneUnplug>(_: F) {}

/// Holds for a function and itself.
#[diagnostic::on_unimplemented(
    message = "this device has a method `unplug` of its own beside the generated one",
    label = "callers would get that method in place of `Unplug::unplug`",
    note = "give the method another name; it may call `Unplug::unplug`"
)]
pub trait OneUnplug {}

#[diagnostic::do_not_recommend]
impl<F> OneUnplug for (F, F) {}
