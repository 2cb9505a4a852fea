use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(unplug(), default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        Ok(hw.status)
    }
}

fn main() {
    let device = Device { lifetime: DeviceLifetime::new(Hw { status: 0 }) };
    let _ = device.unplug(Cause::Unbind);
}
