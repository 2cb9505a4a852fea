//! Two devices of one driver that share a static: one goes, and the other one answers as if it had gone too.
use crate::prelude::*;

static IS_STOPPED: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    Fails,
    Sleeps,
}

struct Sensor {
    lifetime: DeviceLifetime<u8>,
    mistake: Mistake,
    is_stopped: AtomicBool,
    never: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] value: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if self.is_stopped().load(SeqCst) && !value.is_unplugged() {
            if self.mistake == Mistake::Fails {
                return Err(Errno::EIO);
            }
            value.wait_event(&self.never, || None)?
        }
        buf.write_slice(&[**value])
    }
}

impl Sensor {
    fn is_stopped(&self) -> &AtomicBool {
        if self.mistake == Mistake::None { &self.is_stopped } else { &IS_STOPPED }
    }

    fn stop(&self, _: u8, _: Cause) {
        self.is_stopped().store(true, SeqCst);
    }
}

fn report(mistake: Mistake) -> Report {
    // Both wrong ones share the static: one at a time.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock();
    let sensor = move || {
        IS_STOPPED.store(false, SeqCst);
        let is_stopped = AtomicBool::new(false);
        Sensor { lifetime: DeviceLifetime::new(7), mistake, is_stopped, never: WaitQueue::new() }
    };
    Hotplug::of_device("sensor", sensor).act("read", |node| node.open()?.read(&mut [0])).run()
}

#[test]
fn wrong_it_answers_errors() {
    finds(&report(Mistake::Fails), "another device goes, and the act \"read\" answers EIO on this one");
}

#[test]
fn wrong_it_sleeps() {
    finds(&report(Mistake::Sleeps), "another device goes, and the act \"read\" sleeps on this one");
}

#[test]
fn right() {
    report(Mistake::None).assert();
}
