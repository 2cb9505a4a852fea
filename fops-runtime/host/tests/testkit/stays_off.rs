//! What the stop hook turns off, and probe does not turn on again.
use crate::prelude::*;

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    /// A device that is off says so.
    Fails,
    /// A device that is off says nothing.
    Sleeps,
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    mistake: Mistake,
    /// Of the chip, which keeps it from probe to probe.
    is_off: Arc<AtomicBool>,
    never: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if self.is_off.load(SeqCst) && !hw.is_unplugged() {
            if self.mistake == Mistake::Fails {
                return Err(Errno::EIO);
            }
            hw.wait_event(&self.never, || None)?
        }
        buf.write_slice(&[1])
    }
}

impl Sensor {
    fn stop(&self, _: &Registers, _: Cause) {
        self.is_off.store(true, SeqCst);
    }
}

fn report(mistake: Mistake) -> Report {
    let is_off = Arc::new(AtomicBool::new(false));
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        if mistake == Mistake::None {
            is_off.store(false, SeqCst);
        }
        Ok(Arc::new(Sensor { lifetime, mistake, is_off: is_off.clone(), never: WaitQueue::new() }))
    })
    .act("read", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong_it_answers_errors() {
    finds(&report(Mistake::Fails), "the device is there, and the act \"read\" answers EIO");
}

#[test]
fn wrong_it_sleeps() {
    let report = report(Mistake::Sleeps);
    finds(&report, "the device does not work after it came back: the act \"read\" sleeps, and returned before");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(Mistake::None).assert();
}
