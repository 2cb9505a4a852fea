//! An operation that unplugs its own device by itself, past the bus: the driver's `remove` never runs.
use crate::hardware::{Hardware, Registers, finds};
use fops_host::testkit::{Hotplug, Report};
use fops_host::{BusDevice, Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, Errno, File, FileOperations, Result, Unplug, UserSliceReader, guarded_fops};
use std::sync::Arc;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    bus_device: BusDevice,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = "it ejects the device")]
    fn write(&self, _: &File, _: UserSliceReader<'_>) -> Result<usize> {
        if self.is_wrong {
            drop(self.unplug(Cause::Removal));
        } else {
            let _ = self.bus_device.remove(Cause::Removal);
        }
        Err(Errno::ENODEV)
    }
}

struct Sensors {
    is_wrong: bool,
    hardware: Arc<Hardware>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        let lifetime = DeviceLifetime::new(self.hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, is_wrong: self.is_wrong, bus_device: probe.bus_device().clone() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }
}

fn report(is_wrong: bool) -> Report {
    let sensors = move || Sensors { is_wrong, hardware: Arc::default() };
    Hotplug::of(sensors, "sensor.0").act("eject", |node| node.open()?.write(&[1])).run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "the removal fails: No such device (ENODEV)");
    finds(&report, "a device is gone, and the driver's `remove` has not run");
}

/// This is right, but the device goes at another time than the kit says.
#[test]
fn the_kit_alone_removes_the_device() {
    finds(&report(false), "the removal cannot begin: ");
}
