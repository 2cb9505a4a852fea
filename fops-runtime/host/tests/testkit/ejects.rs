//! An operation that has its own device removed: past the bus, so that the driver's `remove` never runs, or from an old file.
use crate::prelude::*;

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    PastTheBus,
    FromAnOldFile,
    OnInterrupt,
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    mistake: Mistake,
    bus_device: BusDevice,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = "it ejects the device")]
    fn write(&self, _: &File, _: UserSliceReader<'_>) -> Result<usize> {
        match self.mistake {
            Mistake::None | Mistake::OnInterrupt if self.lifetime.is_unplugged() => return Err(Errno::ENODEV),
            Mistake::None | Mistake::OnInterrupt | Mistake::FromAnOldFile => {
                drop(self.bus_device.remove(Cause::Removal))
            }
            Mistake::PastTheBus => drop(self.unplug(Cause::Removal)),
        }
        Ok(1)
    }
}

fn report(mistake: Mistake) -> Report {
    hotplug_probing(move |probe, hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, mistake, bus_device: probe.bus_device().clone() });
        if mistake == Mistake::OnInterrupt {
            let bus_device = probe.bus_device().clone();
            hardware.request_irq(move || drop(bus_device.remove(Cause::SurpriseRemoval)));
        }
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    })
    .act("opens", |node| node.open().map(drop))
    .act("ejects", |node| node.open()?.write(&[1]))
    .run()
}

#[test]
fn wrong_past_the_bus() {
    let report = report(Mistake::PastTheBus);
    finds(&report, "the removal fails: No such device (ENODEV)");
    finds(&report, "a device is gone, and the driver's `remove` has not run");
}

#[test]
fn wrong_from_an_old_file() {
    let report = report(Mistake::FromAnOldFile);
    finds(&report, "on a file whose device is gone has the one removed that comes after it");
    assert_eq!(report.findings().len(), 1, "{report}");
}

/// It may be right. But `disturb` raises the interrupt.
#[test]
fn wrong_on_an_interrupt() {
    finds(&report(Mistake::OnInterrupt), "the device was removed, and not by the kit");
}

#[test]
fn right() {
    let report = report(Mistake::None);
    report.assert();
    assert!(report.to_string().contains("an act removes its own device"), "{report}");
}
