//! The type of the access is rustc's to check.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn write(&self, #[access] hw: Access<'_, Hw>) -> Result<u8> {
        Ok(hw.status)
    }
}

fn main() {}
