//! A driver with a subdev: what it can do is in the table too, and its release op has to run.
use crate::prelude::*;

struct Lens {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl SubdevOperations for Lens {
    fn s_stream(&self, #[access] _: &Access<'_, u8>, _: bool) -> Result {
        Ok(())
    }

    fn release(self) {}
}

struct Camera {
    lifetime: DeviceLifetime<()>,
    lens: Subdev<Lens>,
}

#[guarded_fops(lifetime = lifetime, unplug(subdevs(lens = Lens)), resources = ())]
impl FileOperations for Camera {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn write(&self, _: &File, mut data: UserSliceReader<'_>) -> Result<usize> {
        self.lens.s_stream(true)?;
        Ok(data.read_all().len())
    }
}

fn camera(keeps: bool) -> Hotplug<Chip<Camera>> {
    let lenses = Mutex::new(Vec::new());
    hotplug(move |_| {
        let lens = Subdev::new(Lens { lifetime: DeviceLifetime::new(1) });
        if keeps {
            lenses.lock().unwrap().push(lens.clone());
        }
        Ok(Arc::new(Camera { lifetime: DeviceLifetime::new(()), lens }))
    })
    .act("open", |node| node.open().map(drop))
}

fn streaming(keeps: bool) -> Report {
    camera(keeps).act("stream", |node| node.open()?.write(&[1])).run()
}

#[test]
fn wrong_it_keeps_a_handle() {
    let report = streaming(true);
    finds(&report, "the release op of the subdev `Lens` has not run");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn what_is_not_tried_of_a_subdev_is_listed() {
    let report = camera(false).run();
    let not_tried: Vec<_> = report.not_tried().collect();
    assert!(not_tried.iter().any(|op| op.starts_with("Lens::s_stream (")), "{report}");
}

#[test]
fn right() {
    streaming(false).assert();
}
