//! An operation in flight that undoes the stop hook for another one: a race of two operations and an unplug.
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
        let is_cancelled = self.is_cancelled.lock().unwrap();
        drop(self.changed.wait_while(is_cancelled, |cancelled| !*cancelled).unwrap());
        Err(Errno::ENODEV)
    }

    /// Turns the sensor off and on again.
    fn write(&self, #[access] hw: &Access<'_, Registers>, _: &File, mut data: UserSliceReader<'_>) -> Result<usize> {
        let mut is_cancelled = self.is_cancelled.lock().unwrap();
        if self.is_wrong || !hw.is_unplugged() {
            *is_cancelled = false;
        }
        Ok(data.read_all().len())
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        *self.is_cancelled.lock().unwrap() = true;
        self.changed.notify_all();
    }
}

/// It ends with the first order that shows the race: about one in fifty does, so to miss it in all of these is as likely as
/// a fault of the memory.
const ORDERS_OF_THE_WRONG_ONE: usize = 20_000;

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
    .act("off and on", |node| node.open()?.write(&[0]))
    .orders(if is_wrong { ORDERS_OF_THE_WRONG_ONE } else { 2000 })
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    println!("{report}");
    let finding = finds(&report, "unplug cannot end Sensor::read (");
    assert!(finding.scenario.contains("the order of seed "), "{report}");
    assert!(report.to_string().contains("again: FOPS_SEED="), "{report}");
}

#[test]
fn right() {
    let report = report(false);
    println!("{report}");
    report.assert();
}
