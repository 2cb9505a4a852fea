#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, crate = fops, unplug, resources = u8, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
    fn write(&self) -> Result<u8> {
        Ok(1)
    }
    #[fop(unguarded, reason = "touches no device resources")]
    fn llseek(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
