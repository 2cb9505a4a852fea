//! A condition variable of the driver's own: unplug does not know of it.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    value: Mutex<Option<u8>>,
    changed: Condvar,
    queue: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        let value = if self.is_wrong {
            let value = self.value.lock().unwrap();
            self.changed.wait_while(value, |value| value.is_none()).unwrap().take()
        } else {
            Some(hw.wait_event(&self.queue, || self.value.lock().unwrap().take())?)
        };
        buf.write_slice(&[value.unwrap_or(0)])
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        Ok(Arc::new(Sensor {
            lifetime: DeviceLifetime::new(hardware.map()?),
            is_wrong,
            value: Mutex::default(),
            changed: Condvar::new(),
            queue: WaitQueue::new(),
        }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    let finding = finds(&report, "unplug cannot end Sensor::read (");
    assert!(finding.problem.contains("own_condvar.rs:"), "{finding}");
    #[cfg(target_os = "linux")]
    assert!(finding.problem.contains("futex(2)"), "{finding}");
    assert!(finding.help.contains("access.wait_event("), "{finding}");
    assert_eq!(report.findings().len(), 1, "{report}");
    let played = report.to_string().matches(" unbind-rebind ").count();
    assert_eq!(played, 1, "without the act, it is played with nothing in flight alone: {report}");
}

#[test]
fn right() {
    report(false).assert();
}
