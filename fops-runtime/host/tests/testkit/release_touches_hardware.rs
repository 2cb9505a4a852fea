//! A release that touches the hardware: it runs after unplug too.
use crate::hardware::{Hardware, Registers, finds, hotplug};
use fops_host::testkit::Report;
use fops_runtime::{Access, DeviceLifetime, File, FileOperations, Result, guarded_fops};
use std::sync::Arc;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    /// A way around the lifetime.
    raw: Arc<Hardware>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn release(&self, #[access] hw: Option<&Access<'_, Registers>>, _: File) {
        if self.is_wrong {
            self.raw.touch();
        } else if let Some(hw) = hw {
            hw.0.touch();
        }
    }
}

fn report(is_wrong: bool) -> Report {
    let probe = hotplug(move |probe, hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        let sensor = Arc::new(Sensor { lifetime, is_wrong, raw: hardware.clone() });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    });
    probe.act("open and close", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    finds(&report(true), "accesses to registers that were unmapped");
}

#[test]
fn right() {
    report(false).assert();
}
