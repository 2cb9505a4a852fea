//! Acts that test nothing: the kit says so.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    opened: AtomicUsize,
    /// So many opens succeed.
    limit: usize,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = Registers)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        if self.opened.fetch_add(1, SeqCst) < self.limit { Ok(()) } else { Err(Errno::EACCES) }
    }

    #[fop(always)]
    fn release(&self, _: File) {}

    #[fop(unguarded, reason = "there is nothing to write to")]
    fn fsync(&self, _: &File, _: bool) -> Result {
        Ok(())
    }
}

fn sensor(limit: usize) -> Hotplug<impl Driver> {
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, opened: AtomicUsize::new(0), limit }))
    })
}

#[test]
fn one_calls_nothing() {
    let report = sensor(usize::MAX).act("idle", |_| Ok(())).run();
    finds(&report, "the act \"idle\" calls no operation of the driver");
}

#[test]
fn one_has_no_node() {
    let report = sensor(usize::MAX).act_on("video", "open", |node| node.open().map(drop)).run();
    finds(&report, "no node for the act \"open\"");
}

#[test]
fn one_panics() {
    let report = sensor(usize::MAX).act("open", |node| -> Result<ClientFile> { Ok(node.open().unwrap()) }).run();
    finds(&report, "the act \"open\" panicked");
}

#[test]
fn one_opens_nothing() {
    let report = sensor(0).act("open", |node| node.open().map(drop)).run();
    let not_tried: Vec<_> = report.not_tried().collect();
    assert_eq!(not_tried.len(), 2, "{report}");
    let text = report.to_string();
    assert!(text.contains("it runs after unplug too (`always`), and nobody called it then"), "{report}");
    assert!(text.contains("it is unguarded, and nobody called it while the device went or after"), "{report}");
}

#[test]
fn a_right_one() {
    sensor(usize::MAX).act("open", |node| node.open().map(drop)).run().assert();
}
