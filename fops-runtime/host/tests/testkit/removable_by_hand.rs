//! A device of two parts whose `Removable` is written by hand, with one mistake in it.
use crate::prelude::*;

/// A part with a node.
struct Part {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Part {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] value: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[**value])
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    UnplugsTwice,
    ForgetsOne,
    NamesNobody,
    TellsNobody,
}

struct Pair {
    first: Arc<Part>,
    second: Arc<Part>,
    mistake: Mistake,
}

impl Removable for Pair {
    type Resources = ();

    fn take_down(&self, cause: Cause) -> Result<(), UnplugError> {
        self.second.unplug(cause)?;
        if self.mistake == Mistake::UnplugsTwice {
            self.second.unplug(cause)?;
        }
        if self.mistake != Mistake::ForgetsOne {
            self.first.unplug(cause)?;
        }
        Ok(())
    }

    fn escalate(&self, cause: Cause) {
        if self.mistake != Mistake::TellsNobody {
            Unplug::escalate(&*self.first, cause);
            Unplug::escalate(&*self.second, cause);
        }
    }

    fn stragglers(&self) -> String {
        if self.mistake == Mistake::NamesNobody {
            return String::new();
        }
        format!("{}{}", self.first.report(), self.second.report())
    }
}

struct Pairs(Mistake);

impl Driver for Pairs {
    type Device = Pair;

    fn name(&self) -> &str {
        "pairs"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Pair>> {
        let [first, second] = [1, 2].map(|value| Arc::new(Part { lifetime: DeviceLifetime::new(value) }));
        probe.register_node("part", &first, None);
        probe.register_node("part", &second, None);
        Ok(Arc::new(Pair { first, second, mistake: self.0 }))
    }
}

fn report(mistake: Mistake) -> Report {
    let hotplug = Hotplug::of(move || Pairs(mistake), "pair.0");
    hotplug.act("read", |node| node.open()?.read(&mut [0])).run()
}

#[test]
fn wrong_it_unplugs_twice() {
    let report = report(Mistake::UnplugsTwice);
    finds(&report, "the removal fails: No such device (ENODEV)");
    finds(&report, "a device is gone, and the driver's `remove` has not run");
}

#[test]
fn wrong_it_forgets_one() {
    let report = report(Mistake::ForgetsOne);
    finds(&report, "its node `part0` still works");
    finds(&report, "the device is gone, and the act \"read\" answers success");
    finds(&report, "the device is removed while Part::open (");
}

#[test]
fn wrong_it_names_nobody() {
    let report = report(Mistake::NamesNobody);
    finds(&report, "and its report does not name it");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn wrong_it_tells_nobody() {
    let report = report(Mistake::TellsNobody);
    finds(&report, "`pair.0` has gone by surprise meanwhile, and its device is not told");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(Mistake::None).assert();
}
