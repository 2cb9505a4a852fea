#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = )]
impl Device {
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

struct Other {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime: lifetime, name = "")]
impl Other {
    #[fop("always")]
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

struct Third {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, name = "")]
impl Third {
    #[fop("always")]
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
