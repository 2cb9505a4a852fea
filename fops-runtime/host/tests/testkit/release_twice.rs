//! A stop hook that releases the open files itself: the host does that too, later.
use crate::prelude::*;

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
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, users: Mutex::default() }))
    })
    .act("open and close", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong() {
    finds(&report(true), "panics on a file whose device is gone");
}

#[test]
fn right() {
    report(false).assert();
}
