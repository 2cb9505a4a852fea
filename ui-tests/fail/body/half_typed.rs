//! Half-typed code is one error, and the methods around it are guarded.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        hw.
    }

    fn write(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        let status = hw.status
    }

    fn ioctl(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        Ok(hw.status)
    }
}

fn main() {}
