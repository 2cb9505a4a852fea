//! A probe that fails half-way, and then waits for ever, or fails for ever.
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
    Waits,
    Keeps,
}

fn report(mistake: Mistake) -> Report {
    hotplug(move |hardware| {
        let registers = hardware.map()?;
        if let Err(errno) = may_fail("request_irq") {
            match mistake {
                Mistake::None => {}
                Mistake::Waits => drop(Condvar::new().wait_while(Mutex::new(()).lock().unwrap(), |()| true).unwrap()),
                // As a driver does that frees in `remove` alone.
                Mistake::Keeps => std::mem::forget(registers),
            }
            return Err(errno);
        }
        Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(registers) }))
    })
    .act("open", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong_it_waits() {
    let report = report(Mistake::Waits);
    finds(&report, "probe hangs when a step fails: the thread sleeps in futex(2)");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_it_keeps_what_it_took() {
    let report = report(Mistake::Keeps);
    finds(&report, "the device is away, and this does not hold: the registers are mapped");
    finds(&report, "probe fails at request_irq, and then it fails for ever");
}

#[test]
fn right() {
    report(Mistake::None).assert();
}
