//! Resources that `remove` keeps, or frees a second time.
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

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Keeps,
    FreesTwice,
}

fn report(mistake: Mistake) -> Report {
    let kept = Arc::new(Mutex::new(None::<Registers>));
    let taken = kept.clone();
    hotplug_removing(
        move |hardware| {
            // It is mapped anew.
            drop(taken.lock().unwrap().take());
            Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) }))
        },
        move |hardware, registers, _| match mistake {
            Mistake::None => drop(registers),
            Mistake::Keeps => *kept.lock().unwrap() = Some(registers),
            // Dropping them unmaps them too.
            Mistake::FreesTwice => hardware.unmap(),
        },
    )
    .act("open", |node| node.open().map(drop))
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
