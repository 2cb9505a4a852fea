//! Resources that are cloned out of a section: an open file keeps the registers mapped.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<Arc<Registers>>,
    is_wrong: bool,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = Option<Arc<Registers>>;

    fn open(&self, #[access] hw: &Access<'_, Arc<Registers>>, _: &File) -> Result<Self::Open> {
        Ok(self.is_wrong.then(|| (**hw).clone()))
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| Ok(Arc::new(Sensor { lifetime: DeviceLifetime::new(Arc::new(hardware.map()?)), is_wrong })))
        .act("open", |node| node.open().map(drop))
        .run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "testkit::hardware::Registers>` of the resources has a clone outside");
    finds(&report, "the registers are mapped");
    finds(&report, "bind fails");
}

#[test]
fn right() {
    report(false).assert();
}
