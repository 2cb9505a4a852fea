//! What a driver is to the bus.
use crate::bus::device_nodes::Nodes;
use crate::bus::removal::{Removal, Removes};
use crate::nodes::buffer::BufferMemory;
use crate::nodes::devices::Devices;
use fops_runtime::{Cause, Device, Errno, FileOperations, Result, Unplug, UnplugError};
use std::fmt;
use std::sync::{Arc, Weak};

/// A driver: finds its device at probe, and takes it down at remove.
///
/// The bus unplugs the device in between, so [`remove`](Self::remove) is given the resources when nobody uses
/// them any more, however the device goes.
pub trait Driver: Send + Sync + 'static {
    /// What probe makes of a device.
    type Device: Removable;

    /// Its name on the bus, such as `rcar-vin`.
    fn name(&self) -> &str;

    /// Binds to the device `probe.device()`: takes its resources, and says what nodes it has.
    ///
    /// # Errors
    /// Whatever keeps the driver from binding. What it took by then it gives back itself.
    fn probe(&self, probe: &mut Probe) -> Result<Arc<Self::Device>>;

    /// Tears the device down: `.remove()`. Runs once; files may still be open and are answered `ENODEV`. `cause` is the
    /// worst that anybody gave by now.
    fn remove(&self, device: &Arc<Self::Device>, resources: <Self::Device as Removable>::Resources, cause: Cause) {
        let _ = (device, cause);
        drop(resources);
    }

    /// Changes what the device does: somebody wrote to its `power/state` or `reset` file. After `struct dev_pm_ops` and
    /// `reset_prepare` in linux/pci.h.
    ///
    /// A driver [pauses](fops_runtime::DeviceLifetime::pause_for) the device, so that its operations wait. The device may be
    /// removed at the same time.
    ///
    /// # Errors
    /// `EOPNOTSUPP` where the driver knows no such change; else the driver's.
    fn power(&self, device: &Arc<Self::Device>, power: Power) -> Result {
        let _ = (device, power);
        Err(Errno::EOPNOTSUPP)
    }
}

/// What becomes of a device that stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Power {
    /// It does nothing until it is resumed.
    Suspend,
    /// It goes on where it was suspended.
    Resume,
    /// It begins again, and goes on.
    Reset,
}

/// What the bus can take down: a device with an unplug routine, or one of several that go together.
///
/// Implemented for all that implements [`Unplug`]. A driver whose devices come and go while it is bound implements it by
/// hand, and unplugs those that there are as one.
pub trait Removable: Send + Sync + 'static {
    /// What is handed back to [`Driver::remove`].
    type Resources: Send;

    /// Unplugs it, and whatever goes with it; returns when nobody uses its resources any more, and hands them back.
    ///
    /// On a thread of the bus's, which is inside no section. May take as long as the sections in flight do.
    ///
    /// # Errors
    /// As [`Unplug::unplug`].
    fn take_down(&self, cause: Cause) -> Result<Self::Resources, UnplugError>;

    /// Makes the cause of its removal worse, one that is under way or to come. Does not wait.
    fn escalate(&self, cause: Cause);

    /// The worst cause that it was given, by others than the bus too.
    fn cause(&self) -> Option<Cause> {
        None
    }

    /// What [`take_down`](Self::take_down) waits for, one a line. Does not wait itself.
    fn stragglers(&self) -> String;

    /// What [`take_down`](Self::take_down) has done: a [`Record`](fops_runtime::Record) a line. Asked for after it, for the
    /// log, for [`Removal::records`] and for the device's `last_unplug` in sysfs.
    fn records(&self) -> String {
        String::new()
    }
}

impl<D: Unplug<Resources: Send> + Send + Sync + 'static> Removable for D {
    type Resources = D::Resources;

    fn take_down(&self, cause: Cause) -> Result<D::Resources, UnplugError> {
        self.unplug(cause)
    }

    fn escalate(&self, cause: Cause) {
        Unplug::escalate(self, cause);
    }

    fn cause(&self) -> Option<Cause> {
        Unplug::cause(self)
    }

    fn stragglers(&self) -> String {
        Unplug::report(self).to_string()
    }

    fn records(&self) -> String {
        Unplug::records(self).to_string()
    }
}

/// A device on its bus, for the driver that is bound to it.
#[derive(Clone)]
pub struct BusDevice {
    bus: Weak<dyn Removes>,
    name: String,
}

impl BusDevice {
    /// Its name, such as `e6ef0000.video`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has the device removed, as [`Bus::remove`](crate::Bus::remove) does: for an operation that finds the hardware gone, or that was asked
    /// to disconnect it. Does not wait: the removal waits for the operation.
    ///
    /// # Errors
    /// `ENODEV` where it is not on the bus.
    pub fn remove(&self, cause: Cause) -> Result<Arc<Removal>> {
        self.bus.upgrade().ok_or(Errno::ENODEV)?.remove(&self.name, cause)
    }
}

impl fmt::Debug for BusDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusDevice").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A device that a driver is being bound to.
#[derive(Debug)]
pub struct Probe {
    device: BusDevice,
    nodes: Arc<Nodes>,
}

impl Probe {
    pub(crate) fn new(bus: Weak<dyn Removes>, devices: &Arc<Devices>, name: &str) -> Self {
        let device = BusDevice { bus, name: name.into() };
        Self { device, nodes: Nodes::new(devices) }
    }

    /// The device's name on the bus, such as `e6ef0000.video`.
    pub fn device(&self) -> &str {
        &self.device.name
    }

    /// The device on its bus, for a driver whose operations may ask for its removal.
    pub const fn bus_device(&self) -> &BusDevice {
        &self.device
    }

    /// Its nodes, for a driver that registers some later.
    pub const fn nodes(&self) -> &Arc<Nodes> {
        &self.nodes
    }

    /// Gives the device a node `prefix` and a number, with the memory that its files map. It appears when probe
    /// has succeeded, and goes with the device.
    pub fn register_node<D>(&mut self, prefix: &str, device: &Arc<D>, memory: Option<Arc<BufferMemory>>)
    where
        D: FileOperations + Device,
    {
        self.nodes.register(prefix, device, memory);
    }
}
