//! One machine with the device under test: a bus, its driver, and what the author reaches the hardware by.
use crate::bus::{Bus, Driver, Probe, Removable};
use crate::lock::Lock;
use crate::nodes::Devices;
use crate::nodes::node::Node;
use fops_runtime::{Cause, Device, FileOperations, Result, Unplug};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

/// What the author's closures are given for a device, while there is one.
type Hardware<H> = Box<dyn Fn(&str) -> Option<Arc<H>> + Send>;

/// One machine with the device under test.
pub(super) struct World<H> {
    pub(super) bus: Arc<Bus>,
    pub(super) driver: String,
    pub(super) device: String,
    pub(super) hardware: Hardware<H>,
    /// Unless the author made the bus.
    pub(super) counts: Option<Arc<Counts>>,
    /// The numbers of the nodes that were there from the beginning.
    pub(super) first: BTreeSet<u64>,
}

/// Where a device is that is on the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Unbound,
    Bound,
    /// It is being removed, or has no node.
    Goes,
}

/// How often the bus has asked the driver for something.
#[derive(Default)]
pub(super) struct Counts(Lock<(usize, usize)>);

impl Counts {
    /// How many probes succeeded, and how often remove ran.
    pub(super) fn get(&self) -> (usize, usize) {
        *self.0.lock()
    }
}

/// The author's driver, counted.
struct Counted<D> {
    driver: Arc<D>,
    counts: Arc<Counts>,
}

impl<D: Driver> Driver for Counted<D> {
    type Device = D::Device;

    fn name(&self) -> &str {
        self.driver.name()
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<D::Device>> {
        let device = self.driver.probe(probe)?;
        self.counts.0.lock().0 += 1;
        Ok(device)
    }

    fn remove(&self, device: &Arc<D::Device>, resources: <D::Device as Removable>::Resources, cause: Cause) {
        self.counts.0.lock().1 += 1;
        self.driver.remove(device, resources, cause);
    }
}

impl<H> World<H> {
    /// Where the device is. `None` if it is not on the bus.
    pub(super) fn place(&self) -> Option<Place> {
        let (_, driver) = self.bus.device_names().into_iter().find(|(name, _)| *name == self.device)?;
        Some(match driver {
            None => Place::Unbound,
            Some(_) if self.bus.nodes(&self.device).is_empty() => Place::Goes,
            Some(_) => Place::Bound,
        })
    }

    /// The nodes that have come since, and that the bus does not know of.
    pub(super) fn strays(&self) -> Vec<Arc<Node>> {
        let devices = self.bus.device_names();
        let known: BTreeSet<_> =
            devices.iter().flat_map(|(name, _)| self.bus.nodes(name)).map(|node| node.id()).collect();
        let is_stray = |node: &Arc<Node>| {
            let id = node.id();
            node.registration().is_registered() && !known.contains(&id) && !self.first.contains(&id)
        };
        self.bus.devices().all().into_iter().filter(is_stray).collect()
    }

    /// A machine of the author's own.
    pub(super) fn on(machine: H, bus: impl Fn(&H) -> Arc<Bus>, driver: &str, device: &str) -> Self
    where
        H: Send + Sync + 'static,
    {
        let machine = Arc::new(machine);
        let bus = bus(&machine);
        let first = bus.devices().all().iter().map(|node| node.id()).collect();
        let hardware = Box::new(move |_: &str| Some(machine.clone()));
        Self { bus, driver: driver.into(), device: device.into(), hardware, counts: None, first }
    }

    /// What the author's closures are given for the device under test.
    pub(super) fn hardware(&self) -> Option<Arc<H>> {
        (self.hardware)(&self.device)
    }

    /// A bus with the driver and the device.
    pub(super) fn of(driver: H, device: &str) -> Self
    where
        H: Driver,
    {
        let driver = Arc::new(driver);
        let hardware = driver.clone();
        Self::with(driver, device, move |_| Some(hardware.clone()))
    }

    /// A bus with a driver that makes a device of `make` whenever it probes.
    pub(super) fn of_device(node: &str, make: Arc<dyn Fn() -> H + Send + Sync>) -> Self
    where
        H: FileOperations + Device + Unplug<Resources: Send>,
    {
        let made = Arc::<Lock<BTreeMap<String, Weak<H>>>>::default();
        let driver = Maker { node: node.into(), make, made: made.clone() };
        Self::with(Arc::new(driver), "device.0", move |device| made.lock().get(device)?.upgrade())
    }

    fn with<D: Driver>(
        driver: Arc<D>,
        device: &str,
        hardware: impl Fn(&str) -> Option<Arc<H>> + Send + 'static,
    ) -> Self {
        let bus = Bus::new("testkit", Devices::new());
        let (name, counts) = (driver.name().to_owned(), Arc::<Counts>::default());
        let registered = bus.register_driver(Counted { driver, counts: counts.clone() });
        registered.and_then(|()| bus.add_device(device)).expect("the bus is new");
        let (device, hardware) = (device.into(), Box::new(hardware));
        Self { bus, driver: name, device, hardware, counts: Some(counts), first: BTreeSet::new() }
    }
}

/// A driver for a device that needs none.
struct Maker<D> {
    node: String,
    make: Arc<dyn Fn() -> D + Send + Sync>,
    /// By the name on the bus.
    made: Arc<Lock<BTreeMap<String, Weak<D>>>>,
}

impl<D: FileOperations + Device + Unplug<Resources: Send>> Driver for Maker<D> {
    type Device = D;

    fn name(&self) -> &str {
        "maker"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<D>> {
        let device = Arc::new((self.make)());
        self.made.lock().insert(probe.device().into(), Arc::downgrade(&device));
        probe.register_node(&self.node, &device, None);
        Ok(device)
    }
}
