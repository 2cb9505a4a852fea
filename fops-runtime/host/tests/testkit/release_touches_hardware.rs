//! A release that touches the hardware: it runs after unplug too.
use crate::prelude::*;

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
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, raw: hardware.clone() }))
    })
    .act("open and close", |node| node.open().map(drop))
    .run()
}

#[test]
fn wrong() {
    finds(&report(true), "accesses to registers that were unmapped");
}

#[test]
fn right() {
    report(false).assert();
}
