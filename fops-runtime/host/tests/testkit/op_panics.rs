//! An operation that panics when unplug ends its sleep: it unwraps the error.
use crate::hardware::{Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{Access, DeviceLifetime, File, FileOperations, Result, UserSliceWriter, WaitQueue, guarded_fops};
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
        if self.is_wrong { Ok(waited.unwrap()) } else { Ok(waited?) }
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
    let finding = finds(&report(true), "`read` panics in the act \"a read sleeps\"");
    assert!(finding.scenario.contains("a read sleeps"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
