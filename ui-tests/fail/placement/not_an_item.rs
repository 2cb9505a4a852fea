#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    struct Inner;
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
    let x = 5;
}

fn main() {}
