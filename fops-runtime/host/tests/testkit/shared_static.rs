//! Two devices of one driver that share a static: one goes, and the other one answers as if it had gone too.
use crate::hardware::finds;
use fops_host::testkit::{Hotplug, Report};
use fops_runtime::{Access, Cause, DeviceLifetime, Errno, File, FileOperations, Result, UserSliceWriter, guarded_fops};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

static IS_STOPPED: AtomicBool = AtomicBool::new(false);

struct Sensor {
    lifetime: DeviceLifetime<u8>,
    is_wrong: bool,
    is_stopped: AtomicBool,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] value: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if self.is_stopped().load(SeqCst) && !value.is_unplugged() {
            return Err(Errno::EIO);
        }
        buf.write_slice(&[**value])
    }
}

impl Sensor {
    fn is_stopped(&self) -> &AtomicBool {
        if self.is_wrong { &IS_STOPPED } else { &self.is_stopped }
    }

    fn stop(&self, _: u8, _: Cause) {
        self.is_stopped().store(true, SeqCst);
    }
}

fn report(is_wrong: bool) -> Report {
    let sensor = move || {
        IS_STOPPED.store(false, SeqCst);
        Sensor { lifetime: DeviceLifetime::new(7), is_wrong, is_stopped: AtomicBool::new(false) }
    };
    Hotplug::of_device("sensor", sensor).act("read", |node| node.open()?.read(&mut [0])).run()
}

#[test]
fn wrong() {
    finds(&report(true), "another device goes, and the act \"read\" answers EIO on this one");
}

#[test]
fn right() {
    report(false).assert();
}
