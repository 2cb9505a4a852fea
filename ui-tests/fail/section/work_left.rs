#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self) -> impl Iterator<Item = u8> + use<> {
        [1].into_iter()
    }

    fn write(&self) -> Result<Box<dyn Iterator<Item = u8>>> {
        Ok(Box::new([1].into_iter()))
    }

    fn ioctl(&self) -> Result<(u8, Box<dyn FnOnce() -> u8>)> {
        Ok((1, Box::new(|| 1)))
    }
}

fn main() {}
