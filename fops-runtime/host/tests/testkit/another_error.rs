//! An operation that makes another error of the `ENODEV` that ends its sleep.
use crate::hardware::{Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{
    Access, DeviceLifetime, Errno, File, FileOperations, Result, UserSliceWriter, WaitQueue, guarded_fops,
};
use std::sync::Arc;

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
    let probe = hotplug(move |probe, hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, is_wrong, queue: WaitQueue::new() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    });
    probe.act("a read sleeps", |node| node.open()?.read(&mut [0])).run()
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
