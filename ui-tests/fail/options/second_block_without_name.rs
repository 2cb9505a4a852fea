//! Two tables of ops of one type, and two unplug routines.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8, default = guarded)]
impl Device {
    fn read(&self) -> Result<u8> {
        Ok(0)
    }
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8, default = guarded)]
impl Device {
    fn write(&self) -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
