//! A release that waits for the hardware: after unplug that says nothing more.
use crate::prelude::*;

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
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, is_off: Mutex::default(), never: Condvar::new() }))
    })
    .act("polls", |node| node.open()?.poll(PollEvents::IN))
    .run()
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
