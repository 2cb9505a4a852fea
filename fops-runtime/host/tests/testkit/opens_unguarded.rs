//! An unguarded `open`, which succeeds on a device that is gone.
use crate::prelude::*;

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
    hotplug(move |hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?), is_wrong })))
        .act("open", |node| node.open().map(drop))
        .run()
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
