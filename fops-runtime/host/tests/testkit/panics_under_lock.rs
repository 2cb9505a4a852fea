//! A lock that an operation holds while it calls another one: if that panics, the lock is poisoned for the stop hook.
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
    is_wrong: bool,
    lens: Subdev<Lens>,
    streams: Mutex<bool>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = stop, subdevs(lens = Lens)), resources = ())]
impl FileOperations for Camera {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn write(&self, _: &File, mut data: UserSliceReader<'_>) -> Result<usize> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        self.lens.s_stream(true)?;
        *streams = true;
        Ok(data.read_all().len())
    }
}

impl Camera {
    fn stop(&self, (): &(), _: Cause) {
        let streams = self.streams.lock();
        *if self.is_wrong { streams.unwrap() } else { streams.unwrap_or_else(PoisonError::into_inner) } = false;
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |_| {
        let lens = Subdev::new(Lens { lifetime: DeviceLifetime::new(1) });
        Ok(Arc::new(Camera { lifetime: DeviceLifetime::new(()), is_wrong, lens, streams: Mutex::default() }))
    })
    .act("stream", |node| node.open()?.write(&[1]))
    .run()
}

#[test]
fn wrong() {
    let report = report(true);
    let finding = finds(&report, "a hook of the device of `sensor");
    assert_eq!(finding.scenario, "s_stream panics, with \"stream\" in flight");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(false).assert();
}
