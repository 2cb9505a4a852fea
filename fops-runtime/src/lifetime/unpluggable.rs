//! What can be unplugged.
use super::parts::{Child, Part, Parts};

/// A device with all that goes with it, or several devices: what [`Unplug`](super::Unplug) takes as one.
///
/// `#[guarded_fops(.., unplug(..))]` implements it. It is implemented for references to devices, for tuples of up to
/// eight and for vectors of them, parents before children.
///
/// ```
/// use fops_runtime::{Cause, Device, DeviceLifetime, Part, Parts, Unplug, Unpluggable};
///
/// struct Node(DeviceLifetime<&'static str>);
/// impl Device for Node {
///     type Resources = &'static str;
///     fn lifetime(&self) -> &DeviceLifetime<&'static str> { &self.0 }
/// }
/// impl Unpluggable for Node {
///     type Resources = &'static str;
///     fn parts(&self) -> impl Parts<Resources = &'static str> { Part::of(self) }
/// }
///
/// let (vin, csi2) = (Node(DeviceLifetime::new("vin")), Node(DeviceLifetime::new("csi2")));
/// assert_eq!((&vin, &csi2).unplug(Cause::Unbind), Ok(("vin", "csi2")));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no unplug routine",
    label = "a device has to be unpluggable here",
    note = "write `unplug()` among the options of its `#[guarded_fops(..)]`, or `unplug(stop = <method>)`"
)]
pub trait Unpluggable {
    /// What unplug hands back: the resources of each device.
    type Resources;

    /// The device and all that goes with it: [`Part::of`](super::Part::of) the device, or a tuple of that and of
    /// [`Part::child`](super::Part::child) of each subdev. The same at each call.
    fn parts(&self) -> impl Parts<Resources = Self::Resources>;
}

impl Part<'_, ()> {
    /// A device that goes with its parent, with all that goes with that device: a subdev.
    ///
    /// A subdev may be unplugged by itself before. Then its parent goes without it: `None` comes back in place of its
    /// resources.
    ///
    /// ```
    /// use fops_runtime::{Cause, Device, DeviceLifetime, Part, Parts, Unplug, Unpluggable};
    ///
    /// struct Vin { lifetime: DeviceLifetime<&'static str>, csi2: DeviceLifetime<u8> }
    /// impl Device for Vin {
    ///     type Resources = &'static str;
    ///     fn lifetime(&self) -> &DeviceLifetime<&'static str> { &self.lifetime }
    /// }
    /// impl Unpluggable for Vin {
    ///     type Resources = (&'static str, Option<u8>);
    ///     fn parts(&self) -> impl Parts<Resources = Self::Resources> {
    ///         (Part::of(self), Part::child(self.csi2.alone()))
    ///     }
    /// }
    ///
    /// let new = || Vin { lifetime: DeviceLifetime::new("registers"), csi2: DeviceLifetime::new(4) };
    /// assert_eq!(new().unplug(Cause::Unbind), Ok(("registers", Some(4))));
    ///
    /// let vin = new();
    /// assert_eq!(vin.csi2.alone().unplug(Cause::Removal), Ok(4));
    /// assert_eq!(vin.unplug(Cause::Unbind), Ok(("registers", None)));
    /// ```
    pub fn child<D: Unpluggable + ?Sized>(device: &D) -> impl Parts<Resources = Option<D::Resources>> {
        Child(device.parts())
    }
}
