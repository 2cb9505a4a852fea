//! A probe that registers its node by itself, and leaves it there when it fails.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<()>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
}

struct Sensors {
    is_wrong: bool,
    devices: Arc<Devices>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(()) });
        probe.register_node("sensor", &sensor, None);
        if self.is_wrong {
            let node = self.devices.register("debug", sensor.clone(), None);
            may_fail("request_irq")?;
            // It is all that this driver does about it.
            self.devices.unregister(&node);
        } else {
            may_fail("request_irq")?;
        }
        Ok(sensor)
    }
}

fn report(is_wrong: bool) -> Report {
    on_bus(move |devices| Sensors { is_wrong, devices }).act("open", |node| node.open().map(drop)).run()
}

#[test]
fn wrong() {
    finds(&report(true), "probe fails at request_irq, and leaves [\"debug0\"] registered");
}

#[test]
fn right() {
    report(false).assert();
}
