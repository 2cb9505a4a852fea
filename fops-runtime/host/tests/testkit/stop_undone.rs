//! An operation in flight that undoes what the stop hook does, and sleeps after it.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    is_cancelled: Mutex<bool>,
    changed: Condvar,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] _: &Access<'_, Registers>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        let mut is_cancelled = self.is_cancelled.lock().unwrap();
        if self.is_wrong {
            // Left by the read before, it thinks.
            *is_cancelled = false;
        }
        drop(self.changed.wait_while(is_cancelled, |cancelled| !*cancelled).unwrap());
        Err(Errno::ENODEV)
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        *self.is_cancelled.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        Ok(Arc::new(Sensor {
            lifetime: DeviceLifetime::new(hardware.map()?),
            is_wrong,
            is_cancelled: Mutex::default(),
            changed: Condvar::new(),
        }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "unplug cannot end Sensor::read (");
    assert!(finding.scenario.contains("read in flight"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
