//! The bus: what a driver's author meets.
pub(crate) mod binding;
pub(crate) mod bus_type;
pub(crate) mod device_nodes;
pub(crate) mod driver;
pub(crate) mod removal;
mod removers;
mod slot;

pub use bus_type::Bus;
pub use device_nodes::Nodes;
pub use driver::{BusDevice, Driver, Power, Probe, Removable};
pub use removal::Removal;
