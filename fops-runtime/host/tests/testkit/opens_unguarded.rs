//! An unguarded `open`, which succeeds on a device that is gone.
use crate::hardware::{Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{DeviceLifetime, Errno, File, FileOperations, Result, guarded_fops};
use std::sync::Arc;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    #[fop(unguarded, reason = "it touches no device")]
    fn open(&self, _: &File) -> Result {
        if self.lifetime.is_unplugged() && !self.is_wrong { Err(Errno::ENODEV) } else { Ok(()) }
    }
}

fn report(is_wrong: bool) -> Report {
    let probe = hotplug(move |probe, hardware| {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?), is_wrong });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    });
    probe.act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "the device is gone, and the act \"open\" answers success");
    let finding = finds(&report, "the device is gone, and Sensor::open (");
    assert!(finding.problem.contains("answers success on an old file"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
