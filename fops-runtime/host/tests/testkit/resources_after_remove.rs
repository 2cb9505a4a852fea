//! Resources that `remove` keeps, or frees a second time.
use crate::hardware::{Hardware, Registers, finds};
use fops_host::testkit::{Hotplug, Report};
use fops_host::{Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};
use std::sync::{Arc, Mutex};

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

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Keeps,
    FreesTwice,
}

struct Sensors {
    mistake: Mistake,
    hardware: Arc<Hardware>,
    kept: Mutex<Option<Registers>>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        // It is mapped anew.
        drop(self.kept.lock().unwrap().take());
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(self.hardware.map()?) });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }

    fn remove(&self, _: &Arc<Sensor>, registers: Registers, _: Cause) {
        match self.mistake {
            Mistake::None => drop(registers),
            Mistake::Keeps => *self.kept.lock().unwrap() = Some(registers),
            // Dropping them unmaps them too.
            Mistake::FreesTwice => self.hardware.unmap(),
        }
    }
}

fn report(mistake: Mistake) -> Report {
    let sensors = move || Sensors { mistake, hardware: Arc::default(), kept: Mutex::default() };
    Hotplug::of(sensors, "sensor.0")
        .act("open", |node| node.open().map(drop))
        .away(|sensors| sensors.hardware.is_left_alone())
        .run()
}

#[test]
fn wrong_it_keeps_them() {
    let report = report(Mistake::Keeps);
    finds(&report, "the device is away, and this does not hold: the registers are mapped");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_it_frees_them_twice() {
    let report = report(Mistake::FreesTwice);
    finds(&report, "accesses to registers that were unmapped");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(Mistake::None).assert();
}
