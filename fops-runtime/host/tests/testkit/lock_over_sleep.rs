//! A lock that is held over a sleep, where the stop hook takes it before it ends the sleep.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    settings: Mutex<()>,
    is_stopped: Mutex<bool>,
    stopped: Condvar,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] _: &Access<'_, Registers>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        let settings = self.settings.lock().unwrap();
        // The settings are looked at here.
        if !self.is_wrong {
            drop(settings);
        }
        let is_stopped = self.is_stopped.lock().unwrap();
        drop(self.stopped.wait_while(is_stopped, |stopped| !*stopped).unwrap());
        Err(Errno::ENODEV)
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        drop(self.settings.lock());
        *self.is_stopped.lock().unwrap() = true;
        self.stopped.notify_all();
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        Ok(Arc::new(Sensor {
            lifetime: DeviceLifetime::new(hardware.map()?),
            is_wrong,
            settings: Mutex::default(),
            is_stopped: Mutex::default(),
            stopped: Condvar::new(),
        }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "unplug cannot end Sensor::read (");
    let finding = finds(&report, "unplug waits for the stop hook");
    assert!(finding.help.contains("do not hold a lock over a sleep"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
