//! An interrupt handler that keeps the structure of a device that is gone.
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

impl Sensor {
    fn interrupt(&self) {
        if let Ok(hw) = self.lifetime.enter(op!("irq")) {
            hw.0.touch();
        }
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) });
        let (weak, kept) = (Arc::downgrade(&sensor), is_wrong.then(|| sensor.clone()));
        hardware.request_irq(move || {
            if let Some(sensor) = kept.clone().or_else(|| weak.upgrade()) {
                sensor.interrupt();
            }
        });
        Ok(sensor)
    })
    .act("open", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong() {
    finds(&report(true), "something still refers to the driver's structure");
}

#[test]
fn right() {
    report(false).assert();
}
