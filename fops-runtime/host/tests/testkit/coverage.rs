//! An operation that no act tries is listed, and fails the test unless the author says why.
use crate::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] _: &Access<'_, Registers>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[0])
    }

    fn ioctl(&self, #[access] _: &Access<'_, Registers>, _: &File, _: Command, _: IoctlArg<'_>) -> Result<i32> {
        Ok(0)
    }

    #[fop(unguarded, reason = "moves the file position")]
    fn llseek(&self, _: &File, _: SeekFrom) -> Result<u64> {
        Ok(0)
    }
}

fn sensor() -> Hotplug<impl Driver> {
    hotplug(|hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(hardware.map()?) })))
        .act("read", |node| node.open()?.read(&mut [0]))
}

fn fails(report: &Report) -> bool {
    catch_unwind(AssertUnwindSafe(|| report.assert())).is_err()
}

#[test]
fn what_is_not_tried_is_listed() {
    let report = sensor().run();
    let not_tried: Vec<_> = report.not_tried().collect();
    assert!(matches!(&*not_tried, [ioctl] if ioctl.starts_with("Sensor::ioctl (")), "{report}");
    assert!(report.findings().is_empty() && fails(&report), "{report}");
    assert!(report.to_string().contains(".not_tried(\"ioctl\", "), "{report}");
}

#[test]
fn an_author_says_why() {
    let report = sensor().not_tried("ioctl", "it answers a constant").run();
    report.assert();
    assert!(report.to_string().contains("it answers a constant"), "{report}");
}
