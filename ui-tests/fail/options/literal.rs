#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(via = "_me")]
    fn read(_me: &Device) -> Result<u8> {
        Ok(1)
    }
    #[fop(via = 1)]
    fn write(&self) -> Result<u8> {
        Ok(1)
    }
}

struct Other {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = 5, default = guarded)]
impl Other {
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
