//! Who calls the operations: device nodes, the bus that binds drivers to devices, and the hosts.
//!
//! A [`Driver`] is registered with a [`Bus`]; binding it to a device probes, and puts its nodes among the
//! [`Devices`]. There the nodes are reached from the same process ([`Devices::open`]) and, with the feature
//! `fuse`, as files by any other.
mod areas;
mod binding;
mod buffer;
mod bus;
mod devices;
mod driver;
mod erased;
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub mod fuse;
mod memory;
mod node;
mod open_file;
mod removal;

pub use buffer::{BufferMemory, Published};
pub use bus::Bus;
pub use devices::Devices;
pub use driver::{Driver, Probe};
pub use memory::{Descriptor, Mapping};
pub use node::{Answer, Node};
pub use open_file::OpenFile;
pub use removal::Removal;
