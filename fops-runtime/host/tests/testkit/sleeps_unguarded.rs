//! An unguarded operation that sleeps: unplug neither waits for it nor ends it.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    value: Mutex<()>,
    changed: Condvar,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(unguarded, reason = "it touches no device")]
    fn read(&self, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if self.is_wrong {
            drop(self.changed.wait_while(self.value.lock().unwrap(), |()| true).unwrap());
        }
        if self.lifetime.is_unplugged() { Err(Errno::ENODEV) } else { buf.write_slice(&[0]) }
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, value: Mutex::default(), changed: Condvar::new() }))
    })
    .act("read", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    let finding =
        finds(&report, "the device is gone, and the act \"read\" does not end: it is in read, outside of any section");
    assert!(finding.help.contains("has to be guarded"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
