//! Operations that are declared `sleeps` or `brief`, and are not.
use crate::hardware::finds;
use fops_host::testkit::{Hotplug, Report};
use fops_runtime::{
    Access, DeviceLifetime, File, FileOperations, OpenFlags, Result, UserSliceReader, UserSliceWriter, WaitQueue,
    guarded_fops,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

struct Sensor {
    lifetime: DeviceLifetime<()>,
    never: WaitQueue,
    /// The next write stays until unplug has begun, and for long after that.
    is_slow: Arc<AtomicBool>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    #[fop(brief)]
    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    #[fop(sleeps)]
    fn read(&self, #[access] hw: &Access<'_, ()>, file: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        if file.is_nonblocking() { Ok(0) } else { Ok(hw.wait_event(&self.never, || None)?) }
    }

    #[fop(brief)]
    fn write(&self, #[access] _: &Access<'_, ()>, _: &File, _: UserSliceReader<'_>) -> Result<usize> {
        if self.is_slow.swap(false, SeqCst) {
            while !self.lifetime.is_unplugged() {
                thread::sleep(Duration::from_millis(1));
            }
            // The kit allows for a second, at most.
            thread::sleep(Duration::from_millis(1500));
        }
        Ok(0)
    }
}

/// Without the orders: they have nothing to say here.
fn kit(is_slow: bool) -> Hotplug<Sensor> {
    let is_slow = Arc::new(AtomicBool::new(is_slow));
    let sensor =
        move || Sensor { lifetime: DeviceLifetime::new(()), never: WaitQueue::new(), is_slow: is_slow.clone() };
    Hotplug::of_device("sensor", sensor).act("a write", |node| node.open()?.write(&[0])).orders(0)
}

fn sleeping(is_slow: bool) -> Report {
    kit(is_slow).act("a read sleeps", |node| node.open()?.read(&mut [0])).run()
}

#[test]
fn brief_and_is_not() {
    let finding = finds(&sleeping(true), "Sensor::write (");
    assert!(finding.problem.contains(") is declared brief, and unplug waited 1."), "{finding}");
}

#[test]
fn sleeps_and_no_act_sleeps() {
    let report =
        kit(false).act("a read", |node| node.open_with(OpenFlags::RDWR | OpenFlags::NONBLOCK)?.read(&mut [0])).run();
    let not_tried: Vec<_> = report.not_tried().collect();
    assert!(matches!(&*not_tried, [read] if read.starts_with("Sensor::read (")), "{report}");
    assert!(report.to_string().contains("no act slept in it when the device went"), "{report}");
    assert!(report.findings().is_empty(), "{report}");
}

#[test]
fn right() {
    sleeping(false).assert();
}
