//! A `remove` that panics, as one that unwraps does.
use crate::hardware::{Hardware, Registers, finds};
use fops_host::testkit::{Hotplug, Report};
use fops_host::{Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};
use std::sync::Arc;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
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
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(self.hardware.map()?) });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }

    fn remove(&self, _: &Arc<Sensor>, _: Registers, cause: Cause) {
        assert!(!self.is_wrong || cause.hardware_present(), "the hardware answers");
    }
}

fn report(is_wrong: bool) -> Report {
    let hotplug = Hotplug::of(move || Sensors { is_wrong, hardware: Arc::default() }, "sensor.0");
    hotplug.act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    let report = report(true);
    let finding = finds(&report, "the driver panics in `remove`");
    assert!(finding.scenario.contains("surprise removal"), "{finding}");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(false).assert();
}
