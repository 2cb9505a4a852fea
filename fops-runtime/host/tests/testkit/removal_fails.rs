//! Hardware that refuses something while the device goes: the stop hook unwraps, or `remove` gives up.
use crate::hardware::{Hardware, Registers, finds};
use fops_host::testkit::{Hotplug, Report, may_fail};
use fops_host::{Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Unwraps,
    GivesUp,
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    mistake: Mistake,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        let stopped = may_fail("the end of the transfer");
        if self.mistake == Mistake::Unwraps {
            stopped.unwrap();
        }
    }
}

struct Sensors {
    mistake: Mistake,
    hardware: Arc<Hardware>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        let lifetime = DeviceLifetime::new(self.hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, mistake: self.mistake });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }

    fn remove(&self, _: &Arc<Sensor>, registers: Registers, _: Cause) {
        if may_fail("the clock").is_err() && self.mistake == Mistake::GivesUp {
            std::mem::forget(registers);
        }
    }
}

fn report(mistake: Mistake) -> Report {
    Hotplug::of(move || Sensors { mistake, hardware: Arc::default() }, "sensor.0")
        .act("open", |node| node.open().map(drop))
        .away(|sensors| sensors.hardware.is_left_alone())
        .run()
}

#[test]
fn wrong_its_hook_unwraps() {
    let report = report(Mistake::Unwraps);
    let finding = finds(&report, "a hook of the device of `sensor");
    assert_eq!(finding.scenario, "removal fails at step 1");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_its_remove_gives_up() {
    let report = report(Mistake::GivesUp);
    let finding = finds(&report, "the device is away, and this does not hold: the registers are mapped");
    assert_eq!(finding.scenario, "removal fails at step 2");
    finds(&report, "bind fails: ");
}

#[test]
fn right() {
    let report = report(Mistake::None);
    report.assert();
    assert!(report.to_string().contains("the end of the transfer"), "{report}");
}
