//! What the expansion of `#[guarded_fops]` calls and users do not.
//!
//! It is public because the expansion is part of the driver's crate. It may change with any release.
use crate::fops::AfterUnplug;
use crate::lifetime::{Cause, DeviceLifetime, Handles, Resources, Unplugged};
use crate::platform;
use core::fmt;
use core::ops::Deref;

pub use crate::fops::AnyFileOperations;
pub use crate::op::{Block, GuardsFileOperations, GuardsSubdevOperations, key};
#[cfg(feature = "std")]
pub use crate::subdev::{AnySubdevOperations, HasReleaseOp};

/// The answer of an operation that returns `T`, whose section was not opened.
#[inline]
pub fn refused<T: AfterUnplug>(why: Unplugged) -> T {
    T::refused(why)
}

/// Stands in for an access after the macro reported an error, so that the error stays the only one.
pub fn any<T>() -> T {
    unreachable!("the macro reported an error: this does not run")
}

/// What the option `lifetime` leads to, if that is a lifetime.
#[inline]
pub fn lifetime<P: Lifetime + ?Sized>(place: &P) -> &P::Checked<P> {
    P::checked(place)
}

/// A [`DeviceLifetime`], or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "`lifetime` leads to `{Self}`, not to a `DeviceLifetime`",
    label = "expected a `DeviceLifetime`, or a pointer to one",
    note = "write `lifetime: DeviceLifetime<R>` in the device, where `R` is the type of the resources",
    note = "if the device may be without a lifetime, keep an `Option<DeviceLifetime<R>>` and write \
            `lifetime = self.lifetime.as_ref(), not_found = <answer>`"
)]
pub trait Lifetime {
    /// `T`. If the implementor is no lifetime, rustc does not know this, and has nothing else to say about it.
    type Checked<T: ?Sized>: ?Sized;

    /// The same place.
    fn checked<T: ?Sized>(place: &T) -> &Self::Checked<T>;
}

#[diagnostic::do_not_recommend]
impl<R> Lifetime for DeviceLifetime<R> {
    type Checked<T: ?Sized> = T;

    #[inline]
    fn checked<T: ?Sized>(place: &T) -> &T {
        place
    }
}

#[diagnostic::do_not_recommend]
impl<P: Deref<Target: Lifetime> + ?Sized> Lifetime for P {
    type Checked<T: ?Sized> = <P::Target as Lifetime>::Checked<T>;

    #[inline]
    fn checked<T: ?Sized>(place: &T) -> &Self::Checked<T> {
        P::Target::checked(place)
    }
}

/// The value of a `lifetime = <expression>`, if that leads to a lifetime which outlives the call.
#[inline]
pub fn lasting<P: LeadsToLifetime>(pointer: &P) -> &P::Checked<P> {
    P::checked(pointer)
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
pub trait LeadsToLifetime {
    /// As [`Lifetime::Checked`].
    type Checked<T>: ?Sized;

    /// The same pointer.
    fn checked<T>(pointer: &T) -> &Self::Checked<T>;
}

#[diagnostic::do_not_recommend]
impl<P: Deref<Target: Lifetime>> LeadsToLifetime for P {
    type Checked<T> = <P::Target as Lifetime>::Checked<T>;

    #[inline]
    fn checked<T>(pointer: &T) -> &Self::Checked<T> {
        P::Target::checked(pointer)
    }
}

/// Something that may be [`Resources`], or own some.
#[derive(Debug)]
pub struct Field<'a, T: ?Sized>(NoResources, &'a T);

impl<'a, T: ?Sized> Field<'a, T> {
    /// It.
    pub const fn new(value: &'a T) -> Self {
        Self(NoResources, value)
    }
}

impl<T: Resources + ?Sized> Field<'_, T> {
    /// Shows its handles.
    pub fn handles(&self, handles: &mut Handles<'_>) {
        self.1.handles(handles);
    }
}

/// What is found in place of a [`Field`] that is no [`Resources`]: method lookup goes on to what a type dereferences to.
#[derive(Debug)]
pub struct NoResources;

impl NoResources {
    /// There are none.
    pub const fn handles(&self, _: &mut Handles<'_>) {}
}

impl<T: ?Sized> Deref for Field<'_, T> {
    type Target = NoResources;

    fn deref(&self) -> &NoResources {
        &self.0
    }
}

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

/// Calls a stop hook. It is an argument and not called by the expansion, so a method of another signature is one error that
/// says the right one, and rustc does not suggest to edit the attribute.
pub fn stop<'a, D: ?Sized, R, F: StopHook<'a, D, R, O, M>, O: HookOutcome, M>(
    device: &'a D,
    resources: &'a R,
    cause: Cause,
    hook: F,
) {
    hook.call(device, resources, cause).log("stop", core::any::type_name::<D>());
}

/// Calls a wake hook, likewise.
pub fn wake<'a, D: ?Sized, R, F: WakeHook<'a, D, R, O, M>, O: HookOutcome, M>(
    device: &'a D,
    resources: &'a R,
    hook: F,
) {
    hook.call(device, resources).log("wake", core::any::type_name::<D>());
}

/// A method that unplug can call to stop the hardware. `M` says in which form it takes the resources.
#[diagnostic::on_unimplemented(
    message = "this method does not have the signature of a stop hook",
    label = "unplug cannot call this method",
    note = "write `fn stop(&self, resources: &R, cause: Cause)`, by any name, where `R` is the type of the resources",
    note = "if `R` is `Copy`, the hook may take it by value"
)]
pub trait StopHook<'a, D: ?Sized, R, O, M> {
    /// Calls it.
    fn call(self, device: &'a D, resources: &'a R, cause: Cause) -> O;
}

/// A method that unplug can call to wake sleepers.
#[diagnostic::on_unimplemented(
    message = "this method does not have the signature of a wake hook",
    label = "unplug cannot call this method",
    note = "write `fn wake(&self, resources: &R)`, by any name, where `R` is the type of the resources",
    note = "if `R` is `Copy`, the hook may take it by value"
)]
pub trait WakeHook<'a, D: ?Sized, R, O, M> {
    /// Calls it.
    fn call(self, device: &'a D, resources: &'a R) -> O;
}

/// The forms in which hooks take resources `$type`: as `$lent`, which is made by `$lend`.
macro_rules! hooks_take {
    ($form:ident: [$($generics:tt)*] $type:ty => $lent:ty, $lend:expr) => {
        #[doc = "A form in which hooks take the resources."]
        #[derive(Debug)]
        pub struct $form;

        #[diagnostic::do_not_recommend]
        impl<'a, D: ?Sized + 'a, O, F: FnOnce(&'a D, $lent, Cause) -> O, $($generics)*> StopHook<'a, D, $type, O, $form> for F {
            fn call(self, device: &'a D, resources: &'a $type, cause: Cause) -> O {
                let lend: fn(&'a $type) -> $lent = $lend;
                self(device, lend(resources), cause)
            }
        }

        #[diagnostic::do_not_recommend]
        impl<'a, D: ?Sized + 'a, O, F: FnOnce(&'a D, $lent) -> O, $($generics)*> WakeHook<'a, D, $type, O, $form> for F {
            fn call(self, device: &'a D, resources: &'a $type) -> O {
                let lend: fn(&'a $type) -> $lent = $lend;
                self(device, lend(resources))
            }
        }
    };
}
hooks_take!(Borrowed: [R: 'a] R => &'a R, |resources| resources);
hooks_take!(Copied: [R: Copy + 'a] R => R, |resources| *resources);
hooks_take!(OfArray: [T: 'a, const N: usize] [T; N] => &'a [T], |resources| resources);
#[cfg(feature = "std")]
hooks_take!(OfBox: [T: ?Sized + 'a] std::boxed::Box<T> => &'a T, |resources| resources);
#[cfg(feature = "std")]
hooks_take!(OfArc: [T: ?Sized + 'a] std::sync::Arc<T> => &'a T, |resources| resources);
#[cfg(feature = "std")]
hooks_take!(OfVec: [T: 'a] std::vec::Vec<T> => &'a [T], |resources| resources);

/// What a hook returns: nothing, or a `Result`. Unplug logs the error and goes on.
#[diagnostic::on_unimplemented(
    message = "a hook of unplug returns nothing, and this one returns `{Self}`",
    label = "unplug has no use for what this method returns",
    note = "a hook may return a `Result` whose error is `Debug`: unplug logs the error and goes on"
)]
pub trait HookOutcome {
    /// Logs the error, if it is one.
    fn log(self, hook: &str, device: &str);
}

impl HookOutcome for () {
    #[inline]
    fn log(self, _hook: &str, _device: &str) {}
}

/// What a function of this type returns. Only so can `!` be named.
pub trait Returns {
    /// It.
    type Output;
}

impl<T> Returns for fn() -> T {
    type Output = T;
}

/// A hook that does not return: it panics, as one that is still to be written, and unplug goes on.
#[diagnostic::do_not_recommend]
impl HookOutcome for <fn() -> ! as Returns>::Output {
    fn log(self, _hook: &str, _device: &str) {
        match self {}
    }
}

impl<T, E: fmt::Debug> HookOutcome for Result<T, E> {
    fn log(self, hook: &str, device: &str) {
        if let Err(error) = self {
            platform::log_error(format_args!("the {hook} hook of `{device}` failed: {error:?}"));
        }
    }
}

/// Opens the section of a future. While the device is paused, this is pending.
///
/// # Errors
/// Unplug has begun.
#[cfg(feature = "std")]
#[inline]
pub fn enter_owned<P: SharedLifetime + ?Sized>(
    lifetime: &P,
    op: &'static crate::op::Op,
) -> impl Future<Output = Result<crate::lifetime::OwnedAccess<P::Resources>, Unplugged>> + use<P> {
    crate::lifetime::OwnedAccess::enter_later(lifetime.shared().clone(), op)
}

/// A [`DeviceLifetime`] in an `Arc`, behind any number of pointers.
#[cfg(feature = "std")]
#[diagnostic::on_unimplemented(
    message = "the section of a future needs a lifetime in an `Arc`, and this is `{Self}`",
    label = "expected an `Arc<DeviceLifetime<..>>`",
    note = "write `lifetime: Arc<DeviceLifetime<..>>` in the device: the section may outlive the call"
)]
pub trait SharedLifetime {
    /// The resources.
    type Resources;

    /// The lifetime in its `Arc`.
    fn shared(&self) -> &std::sync::Arc<DeviceLifetime<Self::Resources>>;
}

#[cfg(feature = "std")]
#[diagnostic::do_not_recommend]
impl<P: Deref> SharedLifetime for P
where
    P::Target: SharedTarget<P>,
{
    type Resources = <P::Target as SharedTarget<P>>::Resources;

    #[inline]
    fn shared(&self) -> &std::sync::Arc<DeviceLifetime<Self::Resources>> {
        P::Target::shared(self)
    }
}

/// What a pointer `P` of a [`SharedLifetime`] points at: the lifetime, if `P` is its `Arc`, or one more such pointer.
#[cfg(feature = "std")]
pub trait SharedTarget<P> {
    /// The resources.
    type Resources;

    /// The lifetime in its `Arc`.
    fn shared<'a>(pointer: &'a P) -> &'a std::sync::Arc<DeviceLifetime<Self::Resources>>
    where
        Self: 'a;
}

#[cfg(feature = "std")]
impl<R> SharedTarget<std::sync::Arc<Self>> for DeviceLifetime<R> {
    type Resources = R;

    #[inline]
    fn shared<'a>(pointer: &'a std::sync::Arc<Self>) -> &'a std::sync::Arc<Self>
    where
        Self: 'a,
    {
        pointer
    }
}

#[cfg(feature = "std")]
impl<P: Deref<Target = T>, T: SharedLifetime> SharedTarget<P> for T {
    type Resources = T::Resources;

    #[inline]
    fn shared<'a>(pointer: &'a P) -> &'a std::sync::Arc<DeviceLifetime<T::Resources>>
    where
        T: 'a,
    {
        (**pointer).shared()
    }
}

/// In an impl of a device: refuses an inherent method `unplug`, which callers would get in place of the trait's.
#[doc(hidden)]
#[macro_export]
macro_rules! __unplug_is_one {
    () => {{
        use $crate::Unplug as _;
        $crate::__private::one_unplug((Self::unplug, <Self as $crate::Unplug>::unplug));
    }};
}
pub use __unplug_is_one as unplug_is_one;

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
