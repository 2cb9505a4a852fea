//! An interrupt handler that opens no section: it reads the register when that is gone.
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
    hotplug(move |hardware| {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) });
        let (chip, weak) = (Arc::downgrade(hardware), Arc::downgrade(&sensor));
        hardware.request_irq(move || {
            if is_wrong && let Some(chip) = chip.upgrade() {
                chip.touch();
            } else if let Some(sensor) = weak.upgrade()
                && let Ok(hw) = sensor.lifetime.enter(op!("irq"))
            {
                hw.0.touch();
            }
        });
        Ok(sensor)
    })
    .act("open", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong() {
    finds(&report(true), "accesses to registers that were unmapped");
}

#[test]
fn right() {
    report(false).assert();
}
