//! A poll that does not register the queue it depends on: its caller sleeps on when data comes.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    has_data: AtomicBool,
    queue: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] _: &Access<'_, Registers>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        self.has_data.store(false, SeqCst);
        buf.write_slice(&[1])
    }

    fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
        if !self.is_wrong {
            table.wait(&self.queue);
        }
        if self.has_data.load(SeqCst) { PollEvents::IN } else { PollEvents::EMPTY }
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        let sensor = Arc::new(Sensor {
            lifetime: DeviceLifetime::new(hardware.map()?),
            is_wrong,
            has_data: AtomicBool::new(false),
            queue: WaitQueue::new(),
        });
        let weak = Arc::downgrade(&sensor);
        hardware.request_irq(move || {
            if let Some(sensor) = weak.upgrade() {
                sensor.has_data.store(true, SeqCst);
                sensor.queue.wake_all();
            }
        });
        Ok(sensor)
    })
    .act("poll, then read", |node| {
        let file = node.open()?;
        let mask = file.poll(PollEvents::IN)?;
        file.read(&mut [0])?;
        Ok(mask)
    })
    .run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "poll's mask became IN, and nobody woke the act \"poll, then read\"");
    assert!(finding.help.contains("table.wait("), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
