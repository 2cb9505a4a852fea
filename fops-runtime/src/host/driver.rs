//! What a driver is to the bus.
use super::devices::Devices;
use super::{BufferMemory, Node};
use crate::{Cause, FileOperations, Result, Unplug};
use std::sync::Arc;

/// A driver: finds its device at probe, and takes it down at remove.
///
/// The bus unplugs the device in between, so [`remove`](Self::remove) is given the resources when nobody uses
/// them any more, however the device goes.
pub trait Driver: Send + Sync + 'static {
    /// What probe makes of a device.
    type Device: Unplug<Resources: Send> + Send + Sync + 'static;

    /// Its name on the bus, such as `rcar-vin`.
    fn name(&self) -> &str;

    /// Binds to the device `probe.device()`: takes its resources, and says what nodes it has.
    ///
    /// # Errors
    /// Whatever keeps the driver from binding. What it took by then it gives back itself.
    fn probe(&self, probe: &mut Probe) -> Result<Arc<Self::Device>>;

    /// Tears the device down: `.remove()`. Runs once; files may still be open and are answered `ENODEV`. `cause` is the
    /// worst that anybody gave by now.
    fn remove(&self, device: &Arc<Self::Device>, resources: <Self::Device as Unplug>::Resources, cause: Cause) {
        let _ = (device, cause);
        drop(resources);
    }
}

/// A device that a driver is being bound to.
pub struct Probe {
    device: String,
    nodes: Vec<NewNode>,
}

/// A node to be registered once probe has succeeded.
type NewNode = Box<dyn FnOnce(&Arc<Devices>) -> Arc<Node> + Send>;

impl Probe {
    pub(super) fn new(device: &str) -> Self {
        Self { device: device.into(), nodes: Vec::new() }
    }

    /// The device's name on the bus, such as `e6ef0000.video`.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// Gives the device a node `prefix` and a number, with the memory that its files map. It appears when probe
    /// has succeeded, and goes with the device.
    pub fn register_node<D>(&mut self, prefix: &str, device: &Arc<D>, memory: Option<Arc<BufferMemory>>)
    where
        D: FileOperations + Unplug,
    {
        let (prefix, device) = (prefix.to_owned(), device.clone());
        self.nodes.push(Box::new(move |devices| devices.register(&prefix, device, memory)));
    }

    pub(super) fn into_nodes(self, devices: &Arc<Devices>) -> Vec<Arc<Node>> {
        self.nodes.into_iter().map(|node| node(devices)).collect()
    }
}
