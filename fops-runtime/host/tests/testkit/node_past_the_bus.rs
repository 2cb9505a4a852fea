//! A node that the driver registers by itself, past the bus: the bus does not know of its files.
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

/// Who registers the second node.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Bus,
    Driver,
    DriverThatForgets,
}

struct Sensors {
    by: By,
    devices: Arc<Devices>,
    debug: Mutex<Option<Arc<Node>>>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(()) });
        probe.register_node("sensor", &sensor, None);
        if self.by == By::Bus {
            probe.register_node("debug", &sensor, None);
        } else {
            *self.debug.lock().unwrap() = Some(self.devices.register("debug", sensor.clone(), None));
        }
        Ok(sensor)
    }

    fn remove(&self, _: &Arc<Sensor>, (): (), _: Cause) {
        let debug = self.debug.lock().unwrap().take();
        if let Some(debug) = debug
            && self.by != By::DriverThatForgets
        {
            self.devices.unregister(&debug);
        }
    }
}

fn report(by: By) -> Report {
    on_bus(move |devices| Sensors { by, devices, debug: Mutex::default() })
        .act("open", |node| node.open().map(drop))
        .run()
}

#[test]
fn wrong_it_is_left() {
    finds(&report(By::DriverThatForgets), "the device is removed, and its node `debug0` is registered");
}

#[test]
fn wrong_unload_does_not_know() {
    let report = report(By::Driver);
    finds(&report, "the driver is unloaded while a file of `debug0` is open");
    assert_eq!(report.findings().len(), 1, "{report}");
}

#[test]
fn right() {
    report(By::Bus).assert();
}
