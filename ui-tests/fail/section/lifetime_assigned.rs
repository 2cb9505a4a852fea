#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&mut self) -> Result {
        self.lifetime = DeviceLifetime::new(1);
        Ok(())
    }
}

fn main() {}
