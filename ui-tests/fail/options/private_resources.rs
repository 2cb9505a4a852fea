//! `Unplug` names the resources in public, so they are as public as the device.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

pub struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        Ok(hw.status)
    }
}

fn main() {}
