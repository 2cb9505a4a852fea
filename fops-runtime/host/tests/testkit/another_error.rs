//! An operation that makes another error of the `ENODEV` that ends its sleep.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    queue: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        let waited = hw.wait_event(&self.queue, || None);
        if self.is_wrong { waited.map_err(|_| Errno::EIO) } else { Ok(waited?) }
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, queue: WaitQueue::new() }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "the act \"a read sleeps\" was in flight when unplug began, and answered EIO");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(false).assert();
}
