#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Colon {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime: lifetime)]
impl Colon {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Comma {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime unplug())]
impl Comma {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Equals {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime == lifetime)]
impl Equals {
    fn read(&self) -> Result {
        Ok(())
    }
}

struct Open {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = )]
impl Open {
    fn read(&self) -> Result {
        Ok(())
    }
}

fn main() {}
