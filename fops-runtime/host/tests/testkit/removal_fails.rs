//! Hardware that refuses something while the device goes: the stop hook unwraps, or `remove` gives up.
use crate::prelude::*;

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Unwraps,
    GivesUp,
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    mistake: Mistake,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        let stopped = may_fail("the end of the transfer");
        if self.mistake == Mistake::Unwraps {
            stopped.unwrap();
        }
    }
}

fn report(mistake: Mistake) -> Report {
    hotplug_removing(
        move |hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?), mistake })),
        move |_, registers, _| {
            if may_fail("the clock").is_err() && mistake == Mistake::GivesUp {
                std::mem::forget(registers);
            }
        },
    )
    .act("open", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong_its_hook_unwraps() {
    let report = report(Mistake::Unwraps);
    let finding = finds(&report, "a hook of the device of `sensor");
    assert_eq!(finding.scenario, "removal fails at step 1");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_its_remove_gives_up() {
    let report = report(Mistake::GivesUp);
    let finding = finds(&report, "the device is away, and this does not hold: the registers are mapped");
    assert_eq!(finding.scenario, "removal fails at step 2");
    finds(&report, "bind fails: ");
}

#[test]
fn right() {
    let report = report(Mistake::None);
    report.assert();
    assert!(report.to_string().contains("the end of the transfer"), "{report}");
}
