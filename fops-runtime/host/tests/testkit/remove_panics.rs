//! A `remove` that panics, as one that unwraps does.
use crate::prelude::*;

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

fn report(is_wrong: bool) -> Report {
    hotplug_removing(
        |hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) })),
        move |_, _, cause| assert!(!is_wrong || cause.hardware_present(), "the hardware answers"),
    )
    .act("open", |node| node.open().map(drop))
    .run()
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
