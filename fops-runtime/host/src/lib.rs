//! Who calls the operations of a driver in user space: a bus that binds drivers to devices, device nodes, and hosts.
//!
//! A [`Driver`] is registered with a [`Bus`]. When the bus binds it to a device, the driver probes, and its nodes appear
//! among the [`Devices`]. There the same process reaches them ([`Devices::open`]) and, with the feature `fuse`, any other
//! process does, as files.
//!
//! A driver depends on `fops-runtime` for its operations, and on this crate for its bus. The macro needs the runtime
//! alone.
//!
//! # Features
//! * `testkit`: the kit that tests a driver against unplug, for its tests.
//! * `fuse`: the nodes for other processes, through `/dev/fuse` (Linux).
#![cfg_attr(docsrs, feature(doc_cfg))]

mod bus;
#[cfg(all(feature = "fuse", target_os = "linux"))]
pub mod fuse;
mod in_process;
mod lock;
mod log;
mod nodes;
#[cfg(feature = "testkit")]
pub mod testkit;

pub use bus::{Bus, BusDevice, Driver, Nodes, Power, Probe, Removable, Removal};
pub use in_process::{Descriptor, Mapping};
pub use nodes::{Answer, BufferMemory, Devices, Node, NodeKind, OpenFile, Published};
