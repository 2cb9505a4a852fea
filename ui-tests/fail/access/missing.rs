//! Resources are out of reach without access.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self) -> Result<u8> {
        Ok(self.lifetime.status)
    }

    fn write(&self) -> Result<u8> {
        Ok(hw.status)
    }
}

fn main() {}
