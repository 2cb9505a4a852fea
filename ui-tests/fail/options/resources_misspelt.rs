//! Each operation that names a type which is not there is told so.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, Hardwear>) -> Result<u8> {
        Ok(1)
    }

    fn write(&self, #[access] hw: &Access<'_, Hardwear>) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
