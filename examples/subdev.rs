//! A capture device and its sensor, a subdev: both go at once, the sensor's memory later. `cargo run --example subdev`
use fops_host::Devices;
use fops_runtime::{Access, Cause, DeviceLifetime, Errno, File, FileOperations, OpenFlags, Result, UserSliceWriter};
use fops_runtime::{Subdev, SubdevOperations, Unplug, guarded_fops};
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

/// How often the release op of a sensor has run.
static RELEASED: AtomicU32 = AtomicU32::new(0);

/// The sensor. Its resources are its registers: here just the number of its bus address.
struct Sensor {
    lifetime: DeviceLifetime<u8>,
}

/// What the capture device asks of it.
#[guarded_fops(lifetime = lifetime, unplug(stop = power_down))]
impl SubdevOperations for Sensor {
    fn s_stream(&self, #[access] address: &Access<'_, u8>, enable: bool) -> Result {
        println!("the sensor at {:#x} streams: {enable}", **address);
        Ok(())
    }

    /// The release op: the last reference to the subdev is gone. By then its registers are, too, and it has no access.
    fn release(self) {
        RELEASED.fetch_add(1, Relaxed);
    }
}

impl Sensor {
    /// Runs once, whichever device's unplug it is, while the registers are still there.
    fn power_down(&self, address: &u8, cause: Cause) {
        println!("powering down {address:#x}: {cause:?}");
    }
}

/// The sensor has a node of its own, /dev/v4l-subdev0. A subdev with a node and no release op does not compile.
#[guarded_fops(lifetime = lifetime, subdev)]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] address: &Access<'_, u8>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[**address])
    }
}

/// The capture device holds a reference to the sensor: `subdevs(..)` makes them one group.
struct Capture {
    lifetime: DeviceLifetime<&'static str>,
    sensor: Subdev<Sensor>,
}

#[guarded_fops(lifetime = lifetime, unplug(subdevs(sensor = Sensor)), default = guarded)]
impl Capture {
    fn start(&self, #[access] dma: &Access<'_, &'static str>) -> Result {
        println!("starting the {}", **dma);
        self.sensor.s_stream(true)
    }
}

fn main() -> Result {
    let sensor = Subdev::new(Sensor { lifetime: DeviceLifetime::new(0x3c) });
    let capture = Capture { lifetime: DeviceLifetime::new("dma engine"), sensor: sensor.clone() };
    let devices = Devices::new();
    let node = devices.register("v4l-subdev", Arc::new(sensor), None);
    let file = devices.open("v4l-subdev0", OpenFlags::RDONLY)?;
    capture.start()?;

    // One flag for both, then the sleepers of both, their stop hooks, their drains. Who unplugs has the resources then.
    let (dma, (address,)) = capture.unplug(Cause::Unbind).expect("nobody else unplugs it");
    // `None` if the sensor had been unplugged by itself.
    assert_eq!((dma, address), ("dma engine", Some(0x3c)));
    assert_eq!(capture.start(), Err(Errno::ENODEV));
    assert_eq!(file.read(&mut [0]), Err(Errno::ENODEV));
    assert!(devices.open("v4l-subdev0", OpenFlags::RDONLY).is_err(), "no new opens");

    // Three references are left: the capture device's, the registration's, and the open file's. They may go in any order.
    drop(capture);
    drop((node, devices));
    assert_eq!(RELEASED.load(Relaxed), 0, "a file is open");
    drop(file);
    assert_eq!(RELEASED.load(Relaxed), 1);
    println!("the last reference is gone: the sensor was released, once");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use fops_host::testkit::Hotplug;
    use fops_host::{Driver, Probe};

    /// Binds the capture device with its sensor to a bus.
    struct Board;

    impl Driver for Board {
        type Device = Capture;

        fn name(&self) -> &str {
            "capture"
        }

        fn probe(&self, probe: &mut Probe) -> Result<Arc<Capture>> {
            let sensor = Subdev::new(Sensor { lifetime: DeviceLifetime::new(0x3c) });
            probe.register_node("v4l-subdev", &Arc::new(sensor.clone()), None);
            Ok(Arc::new(Capture { lifetime: DeviceLifetime::new("dma engine"), sensor }))
        }
    }

    #[test]
    fn the_sensor_goes_with_the_capture_device() {
        Hotplug::of(|| Board, "capture.0")
            .beside("capture.1")
            .act("read", |node| node.open()?.read(&mut [0]))
            .not_tried("s_stream", "the capture device has no node whose operations call it")
            .run()
            .assert();
        assert!(RELEASED.load(Relaxed) > 0);
    }
}
