//! A driver without a node: nobody can act on it.
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
    let probe = hotplug_probing(move |probe, hardware| {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) });
        if !is_wrong {
            probe.register_node("sensor", &sensor, None);
        }
        Ok(sensor)
    });
    probe.act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    finds(&report(true), "the device `chip.0` has no node after probe");
}

#[test]
fn right() {
    report(false).assert();
}
