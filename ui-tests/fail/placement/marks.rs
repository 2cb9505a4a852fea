#![allow(unused_imports, dead_code)]
use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[device]
    const LIMIT: u8 = 1;
    #[access]
    fn read(&self) -> Result<u8> {
        Ok(1)
    }
    fn write(&self, #[fop(guarded)] count: u8) -> Result<u8> {
        Ok(count)
    }
    fn mmap(#[fop(always)] &self) -> Result<u8> {
        Ok(1)
    }
}

fn main() {}
