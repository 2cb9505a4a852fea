//! The lifetime of a device: its resources, from probe to unplug.
mod access;
mod arm;
mod cancel;
mod cause;
mod circle;
mod device;
mod device_lifetime;
mod escapes;
#[cfg(all(feature = "std", target_os = "linux"))]
mod fd;
#[cfg(feature = "std")]
mod heap_cancel;
#[cfg(all(loom, test))]
mod models;
mod notes;
#[cfg(feature = "std")]
mod on_unplug;
#[cfg(feature = "std")]
mod owned;
mod parts;
mod pause;
#[cfg(feature = "std")]
mod pending;
mod record;
mod records;
mod registered;
mod removers;
mod report;
mod resources;
mod role;
mod starts;
mod state;
mod steps;
#[cfg(feature = "async")]
mod tasks;
mod together;
mod trace;
mod unplug;
#[cfg(all(feature = "std", target_os = "linux"))]
mod unplug_fd;
mod unpluggable;
mod unplugged;
#[cfg(feature = "std")]
mod waits;
mod work;

pub use access::Access;
pub use cause::{Cause, UnplugError};
pub use circle::Circle;
pub use device::Device;
pub use device_lifetime::DeviceLifetime;
#[cfg(feature = "std")]
pub use on_unplug::OnUnplug;
#[cfg(feature = "std")]
pub use owned::OwnedAccess;
pub use parts::{Part, Parts};
#[cfg(feature = "std")]
pub use pause::{PauseError, Paused};
#[cfg(feature = "std")]
pub use pending::Pending;
pub use record::Record;
pub use records::Records;
pub use report::{Report, Straggler};
pub use resources::{Escape, Handles, OnEscape, Resources};
#[cfg(feature = "async")]
pub use tasks::{DrainingAsync, Section, UnplugAsync, UntilUnplugged};
pub use together::{Alone, Present};
pub use unplug::{Draining, Unplug};
pub use unpluggable::Unpluggable;
pub use unplugged::Unplugged;
pub use work::Work;
