//! A stop hook that releases the open files itself: the host does that too, later.
use crate::hardware::{Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};
use std::sync::{Arc, Mutex};

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    users: Mutex<usize>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        *self.users.lock().unwrap() += 1;
        Ok(())
    }

    #[fop(always)]
    fn release(&self, _: File) {
        self.put();
    }
}

impl Sensor {
    fn put(&self) {
        let mut users = self.users.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *users = users.checked_sub(1).expect("a file is released twice");
    }

    fn stop(&self, _: &Registers, _: Cause) {
        if self.is_wrong {
            let users = *self.users.lock().unwrap();
            (0..users).for_each(|_| self.put());
        }
    }
}

fn report(is_wrong: bool) -> Report {
    let probe = hotplug(move |probe, hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, is_wrong, users: Mutex::default() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    });
    probe.act("open and close", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    finds(&report(true), "panics on a file whose device is gone");
}

#[test]
fn right() {
    report(false).assert();
}
