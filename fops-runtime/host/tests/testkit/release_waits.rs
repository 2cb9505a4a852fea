//! A release that waits for the hardware: after unplug that says nothing more.
use crate::hardware::{Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{Cause, DeviceLifetime, File, FileOperations, PollEvents, Result, guarded_fops};
use std::sync::{Arc, Condvar, Mutex};

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    is_off: Mutex<bool>,
    never: Condvar,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(always)]
    fn release(&self, _: File) {
        if self.is_wrong {
            drop(self.never.wait_while(self.is_off.lock().unwrap(), |is_off| *is_off).unwrap());
        }
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        *self.is_off.lock().unwrap() = true;
    }
}

fn report(is_wrong: bool) -> Report {
    let probe = hotplug(move |probe, hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, is_wrong, is_off: Mutex::default(), never: Condvar::new() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    });
    probe.act("polls", |node| node.open()?.poll(PollEvents::IN)).run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "Sensor::release (");
    assert!(finding.problem.contains("hangs on a file whose device is gone"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
