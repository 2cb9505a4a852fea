#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, resources = u16, unplug(), default = guarded)]
impl Device {
    fn read(&self) -> Result {
        Ok(())
    }
}

fn main() {}
