//! A stop hook that panics, as one that unwraps does: unplug goes on, and nobody tells the author.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, cause: Cause) {
        assert!(!self.is_wrong || cause.hardware_present(), "the hardware answers");
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?), is_wrong })))
        .act("open", |node| node.open().map(drop))
        .run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "a hook of the device of `sensor0` panics during unplug");
    assert!(finding.scenario.contains("surprise removal"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
