//! A device: its lifetime, and the hooks that its driver has for unplug.
use super::cause::Cause;
use super::device_lifetime::DeviceLifetime;
use super::resources::{Handles, OnEscape};

/// One device: its lifetime and its driver's hooks.
///
/// `#[guarded_fops(.., unplug(..))]` implements it, together with [`Unplug`](super::Unplug), which unplugs the device
/// and all that goes with it. Device nodes and subdevs are registered by it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no device: it has no lifetime and no hooks",
    label = "a device has to be unpluggable here",
    note = "write `unplug()` among the options of its `#[guarded_fops(..)]`, or `unplug(stop = <method>)`"
)]
pub trait Device {
    /// The device's own resources: what dies at unplug.
    type Resources;

    /// The device's lifetime: the same at each call.
    fn lifetime(&self) -> &DeviceLifetime<Self::Resources>;

    /// Stops the hardware. Unplug calls it once, after it has woken the sleepers and while sections are in flight.
    ///
    /// An operation that is inside and comes to its start later would turn the hardware on again: let it start through
    /// [`Access::arm`](crate::Access::arm), which is refused by then. With [`Cause::SurpriseRemoval`] there is no hardware to
    /// stop. A panic is logged and the unplug goes on.
    fn stop(&self, resources: &Self::Resources, cause: Cause) {
        let _ = (resources, cause);
    }

    /// Wakes sleepers that only the driver knows of. Returns whether to call it again while the drain lasts,
    /// every 1 to 100 ms: an operation in flight can undo a single wake.
    fn wake(&self, resources: &Self::Resources) -> bool {
        let _ = resources;
        false
    }

    /// Shows the handles of which the resources should have the last one: see [`Resources`](super::Resources). Unplug asks for
    /// them when the last section has ended.
    fn handles(&self, resources: &Self::Resources, handles: &mut Handles<'_>) {
        let _ = (resources, handles);
    }

    /// What unplug does if the resources have not the last of these handles.
    fn on_escape(&self) -> OnEscape {
        OnEscape::Log
    }
}
