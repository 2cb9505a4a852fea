#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self, #[access] hw) -> Result<u8> {
        Ok(1)
    }
    fn write(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
