//! A driver that keeps a file of its own device open.
use crate::prelude::*;

struct Sensor {
    lifetime: DeviceLifetime<u8>,
    is_wrong: bool,
    devices: Arc<Devices>,
    /// Where it keeps it.
    monitor: Arc<Mutex<Option<Descriptor>>>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] value: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if self.is_wrong
            && let Some(node) = self.devices.all().iter().find(|node| !node.is_unplugged())
            && let Ok(file) = self.devices.open(node.name(), OpenFlags::RDONLY)
        {
            let before = self.monitor.lock().unwrap().replace(file);
            drop(before);
        }
        buf.write_slice(&[**value])
    }
}

struct Sensors {
    is_wrong: bool,
    devices: Arc<Devices>,
    monitor: Arc<Mutex<Option<Descriptor>>>,
}

impl Driver for Sensors {
    type Device = Sensor;

    fn name(&self) -> &str {
        "sensors"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Sensor>> {
        let (is_wrong, devices, monitor) = (self.is_wrong, self.devices.clone(), self.monitor.clone());
        let sensor = Arc::new(Sensor { lifetime: DeviceLifetime::new(7), is_wrong, devices, monitor });
        probe.register_node("sensor", &sensor, None);
        Ok(sensor)
    }
}

fn report(is_wrong: bool) -> Report {
    on_bus(move |devices| Sensors { is_wrong, devices, monitor: Arc::default() })
        .act("read", |node| node.open()?.read(&mut [0]))
        .run()
}

#[test]
fn wrong() {
    let report = report(true);
    finds(&report, "the acts have ended, and a file of the node `sensor");
    finds(&report, "the driver cannot be unloaded: Device or resource busy (EBUSY)");
}

#[test]
fn right() {
    report(false).assert();
}
