#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl Device {
    fn quiesce(&self, _hw: &u16, _cause: Cause) {}

    fn kick(&mut self, _hw: &u8) {}
}

fn main() {}
