//! Hardware that notices when it is used by a driver that has let go of it, and a bus driver for it.
use fops_host::testkit::{Finding, Hotplug, Report, may_fail};
use fops_host::{Bus, Devices, Driver, Probe, Removable};
use fops_runtime::{Cause, Device, Errno, FileOperations, Result};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

/// A chip with one register and one interrupt.
#[derive(Default)]
pub(crate) struct Hardware {
    is_mapped: AtomicBool,
    late: AtomicUsize,
    handler: Mutex<Option<Arc<dyn Fn() + Send + Sync>>>,
}

/// The registers of the chip, mapped. Unmapped when they are dropped.
pub(crate) struct Registers(pub(crate) Arc<Hardware>);

impl Hardware {
    pub(crate) fn map(self: &Arc<Self>) -> Result<Registers> {
        may_fail("ioremap")?;
        if self.is_mapped.swap(true, SeqCst) { Err(Errno::EBUSY) } else { Ok(Registers(self.clone())) }
    }

    pub(crate) fn unmap(&self) {
        if !self.is_mapped.swap(false, SeqCst) {
            self.late.fetch_add(1, SeqCst);
        }
    }

    /// By its address, as a pointer that nobody checks.
    pub(crate) fn touch(&self) {
        if !self.is_mapped.load(SeqCst) {
            self.late.fetch_add(1, SeqCst);
        }
    }

    pub(crate) fn request_irq(&self, handler: impl Fn() + Send + Sync + 'static) {
        *self.handler.lock().unwrap() = Some(Arc::new(handler));
    }

    pub(crate) fn interrupt(&self) {
        let handler = self.handler.lock().unwrap().clone();
        if let Some(handler) = handler {
            handler();
        }
    }

    /// What has to hold while no driver is bound.
    pub(crate) fn is_left_alone(&self) {
        assert_eq!(self.late.load(SeqCst), 0, "accesses to registers that were unmapped");
        assert!(!self.is_mapped.load(SeqCst), "the registers are mapped");
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.unmap();
    }
}

type ProbeFn<D> = dyn Fn(&mut Probe, &Arc<Hardware>) -> Result<Arc<D>> + Send + Sync;
type RemoveFn<D> = dyn Fn(&Hardware, <D as Removable>::Resources, Cause) + Send + Sync;

/// A driver whose probe and whose remove are closures.
pub(crate) struct Chip<D: Removable> {
    pub(crate) hardware: Arc<Hardware>,
    probe: Arc<ProbeFn<D>>,
    remove: Arc<RemoveFn<D>>,
}

impl<D: Removable> Driver for Chip<D> {
    type Device = D;

    fn name(&self) -> &str {
        "chip"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<D>> {
        (self.probe)(probe, &self.hardware)
    }

    fn remove(&self, _: &Arc<D>, resources: D::Resources, cause: Cause) {
        (self.remove)(&self.hardware, resources, cause);
    }
}

fn of_chip<D: Removable>(probe: Arc<ProbeFn<D>>, remove: Arc<RemoveFn<D>>) -> Hotplug<Chip<D>> {
    Hotplug::of(move || Chip { hardware: Arc::default(), probe: probe.clone(), remove: remove.clone() }, "chip.0")
        .disturb(|chip| chip.hardware.interrupt())
        .away(|chip| chip.hardware.is_left_alone())
}

/// A test of the sensor that `make` makes, which has one node. The interrupt comes again and again, and while the device is away
/// the hardware has to be left alone.
pub(crate) fn hotplug<D: Removable + FileOperations + Device>(
    make: impl Fn(&Arc<Hardware>) -> Result<Arc<D>> + Send + Sync + 'static,
) -> Hotplug<Chip<D>> {
    hotplug_probing(with_node(make))
}

/// The same, with a probe that registers its own nodes.
pub(crate) fn hotplug_probing<D: Removable>(
    probe: impl Fn(&mut Probe, &Arc<Hardware>) -> Result<Arc<D>> + Send + Sync + 'static,
) -> Hotplug<Chip<D>> {
    of_chip(Arc::new(probe), Arc::new(|_, resources, _| drop(resources)))
}

/// The same as [`hotplug`], with a `remove`.
pub(crate) fn hotplug_removing<D: Removable + FileOperations + Device>(
    make: impl Fn(&Arc<Hardware>) -> Result<Arc<D>> + Send + Sync + 'static,
    remove: impl Fn(&Hardware, <D as Removable>::Resources, Cause) + Send + Sync + 'static,
) -> Hotplug<Chip<D>> {
    of_chip(Arc::new(with_node(make)), Arc::new(remove))
}

fn with_node<D: FileOperations + Device>(
    make: impl Fn(&Arc<Hardware>) -> Result<Arc<D>>,
) -> impl Fn(&mut Probe, &Arc<Hardware>) -> Result<Arc<D>> {
    move |probe, hardware| {
        let sensor = make(hardware)?;
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }
}

/// A test of the driver `sensors`, which knows all nodes of its machine.
pub(crate) fn on_bus<D: Driver>(driver: impl Fn(Arc<Devices>) -> D + 'static) -> Hotplug<Arc<Bus>> {
    let machine = move || {
        let devices = Devices::new();
        let bus = Bus::new("platform", devices.clone());
        bus.register_driver(driver(devices)).unwrap();
        bus.add_device("sensor.0").unwrap();
        bus
    };
    Hotplug::on(machine, Arc::clone, "sensors", "sensor.0")
}

/// The kit has found this.
#[track_caller]
pub(crate) fn finds(report: &Report, problem: &str) -> Finding {
    let found = report.findings().iter().find(|finding| finding.problem.contains(problem));
    found.unwrap_or_else(|| panic!("nothing of {problem:?} in\n{report}")).clone()
}
