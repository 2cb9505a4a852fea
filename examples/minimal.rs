//! The smallest guarded driver: a thermometer that goes while a read sleeps. `cargo run --example minimal`
use fops_host::Devices;
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, OpenFlags, Result, Unplug, UserSliceWriter};
use fops_runtime::{WaitQueue, guarded_fops};
use std::{sync::Arc, thread};

/// The driver's structure: the lifetime owns the register, a number here, and the queue outlives it.
struct Thermometer {
    lifetime: DeviceLifetime<u32>,
    alarm: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Thermometer {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    /// Sleeps until it is hot.
    fn read(&self, #[access] celsius: &Access<'_, u32>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        let heat = celsius.wait_event(&self.alarm, || Some(**celsius).filter(|&celsius| celsius > 90))?;
        buf.write_slice(&heat.to_le_bytes())
    }
}

fn main() -> Result {
    let thermometer = Arc::new(Thermometer { lifetime: DeviceLifetime::new(36), alarm: WaitQueue::new() });
    let devices = Devices::new();
    devices.register("thermometer", thermometer.clone(), None);
    let file = devices.open("thermometer0", OpenFlags::RDONLY)?;

    let reader = thread::spawn(move || file.read(&mut [0; 4]));
    while !thermometer.alarm.has_sleepers() {
        thread::yield_now();
    }
    println!("a read sleeps; unplugging");
    let celsius = thermometer.unplug(Cause::Unbind).expect("nobody else unplugs it");
    println!("the read answered {:?}", reader.join().expect("it did not panic"));
    println!("nobody uses the register any more: {celsius}");
    Ok(())
}

#[test]
fn it_goes_while_a_read_sleeps() {
    use fops_host::testkit::Hotplug;
    let thermometer = || Thermometer { lifetime: DeviceLifetime::new(36), alarm: WaitQueue::new() };
    Hotplug::of_device("thermometer", thermometer)
        .act("a read sleeps", |node| node.open()?.read(&mut [0; 4]))
        .run()
        .assert();
}
