//! The smallest guarded driver: a thermometer that is unplugged while somebody reads it.
//!
//! `cargo run --example minimal`
use fops_runtime::host::Devices;
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, OpenFlags, Result, Unplug, UserSliceWriter};
use fops_runtime::{WaitQueue, guarded_fops};
use std::sync::Arc;

/// What dies with the device.
struct Registers {
    millidegrees: u32,
}

/// The driver's structure: the lifetime owns the registers; the queue outlives them.
struct Thermometer {
    lifetime: DeviceLifetime<Registers>,
    alarm: WaitQueue,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Thermometer {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    /// The first read of a file gives the temperature, the next one sleeps until it is alarming.
    fn read(&self, #[access] hw: &Access<'_, Registers>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if buf.position() > 0 {
            hw.wait_event(&self.alarm, || (hw.millidegrees > 90_000).then_some(()))?;
        }
        buf.write_slice(format!("{}\n", hw.millidegrees).as_bytes())
    }
}

fn main() -> Result {
    let thermometer = Arc::new(Thermometer {
        lifetime: DeviceLifetime::new(Registers { millidegrees: 36_600 }),
        alarm: WaitQueue::new(),
    });
    let devices = Devices::new();
    devices.register("thermometer", thermometer.clone(), None);
    let file = devices.open("thermometer0", OpenFlags::RDONLY)?;
    let mut text = [0; 16];
    let n = file.read(&mut text)?;
    println!("read: {}", String::from_utf8_lossy(&text[..n]).trim_end());
    let reader = std::thread::spawn(move || file.read(&mut text));
    while !thermometer.alarm.has_sleepers() {
        std::thread::yield_now();
    }
    let registers = thermometer.unplug(Cause::Unbind).expect("nobody else unplugs it");
    println!("unplugged; the sleeping read answered: {}", reader.join().unwrap().unwrap_err());
    println!("the registers are mine again: {}", registers.millidegrees);
    Ok(())
}
