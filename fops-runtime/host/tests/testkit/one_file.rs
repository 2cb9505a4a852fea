//! A device that one user may have open at a time. Right: `open` answers `EBUSY`. Wrong: the chip remembers a user of the device
//! that is gone.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    is_open: Arc<AtomicBool>,
    never: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        if self.is_open.swap(true, SeqCst) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        Ok(hw.wait_event(&self.never, || None)?)
    }

    fn fsync(&self, _: &File, _: bool) -> Result {
        Ok(())
    }

    fn release(&self, #[access] hw: Option<&Access<'_, Registers>>, _: File) {
        if hw.is_some() || !self.is_wrong {
            self.is_open.store(false, SeqCst);
        }
    }
}

fn report(is_wrong: bool) -> Report {
    let of_chip = Arc::<AtomicBool>::default();
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let is_open = if is_wrong { of_chip.clone() } else { Arc::default() };
        Ok(Arc::new(Sensor { lifetime, is_wrong, is_open, never: WaitQueue::new() }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .act("polls", |node| node.open()?.poll(PollEvents::PRI))
    .act("syncs", |node| node.open()?.fsync(false))
    .on_nodes()
    .run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "the device is there, and the act \"a read sleeps\" answers EBUSY");
    assert!(finding.help.contains("`release`"), "{finding}");
}

#[test]
fn right() {
    let report = report(false);
    println!("{report}");
    report.assert();
}
