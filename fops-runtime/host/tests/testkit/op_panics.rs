//! An operation that panics when unplug ends its sleep: it unwraps the error.
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
        if self.is_wrong { Ok(waited.unwrap()) } else { Ok(waited?) }
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
    let finding = finds(&report(true), "`read` panics in the act \"a read sleeps\"");
    assert!(finding.scenario.contains("a read sleeps"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
