#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, hw: &Access<'_, u8>, _file: &File) -> Result {
        let _ = **hw;
        Ok(())
    }
}

fn main() {}
