//! Closures of the author's that hang: the kit says which, and goes on.
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

fn hangs(_: &Chip<Sensor>) {
    drop(Condvar::new().wait_while(Mutex::new(()).lock().unwrap(), |()| true).unwrap());
}

fn sensor() -> Hotplug<Chip<Sensor>> {
    hotplug(|hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) })))
        .act("open", |node| node.open().map(drop))
}

#[track_caller]
fn only(report: &Report, problem: &str) {
    finds(report, problem);
    assert_eq!(report.findings().len(), 1, "{report}");
    assert!(report.to_string().contains("probe fails at step 2"), "it goes on to the end: {report}");
}

#[test]
fn away() {
    only(&sensor().away(hangs).run(), "`away` hangs: the thread sleeps in futex(2)");
}

#[test]
fn surprise() {
    only(&sensor().surprise(hangs, |_| ()).run(), "`surprise` hangs: the thread sleeps in futex(2)");
}

#[test]
fn disturb() {
    only(&sensor().disturb(hangs).run(), "`disturb` hangs: the thread sleeps in futex(2)");
}
