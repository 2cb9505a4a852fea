//! A guarded driver with neither std nor an allocator. That it links is the test: a second panic handler, or an
//! allocation, would not.
#![no_std]

use fops_runtime::{
    Access, Cause, DeviceLifetime, File, FileOperations, PollEvents, PollTable, Result, Unplug, UserSliceWriter,
    guarded_fops,
};

struct Registers {
    status: u8,
}

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[hw.status])
    }

    fn poll(&self, _file: &File, _table: &PollTable<'_>) -> PollEvents {
        PollEvents::IN
    }
}

impl Sensor {
    fn quiesce(&self, _hw: &Registers, _cause: Cause) {}
}

/// Reads the sensor once, before and after it is unplugged. Returns what it read.
#[unsafe(no_mangle)]
pub extern "C" fn read_and_unplug(status: u8) -> u8 {
    let sensor = Sensor { lifetime: DeviceLifetime::new(Registers { status }) };
    let (mut byte, mut written) = ([0], 0);
    let file = File::default();
    let before = sensor.read(&file, UserSliceWriter::new(&mut byte, &mut written, 0));
    let gone = sensor.unplug(Cause::Unbind).is_ok();
    let after = sensor.open(&file);
    if before.is_ok() && gone && after.is_err() { byte[0] } else { 0 }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
