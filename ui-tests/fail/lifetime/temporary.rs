#![allow(unused_braces)]
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device;

macro_rules! made {
    () => {
        DeviceLifetime::new(1)
    };
}

#[guarded_fops(lifetime = &DeviceLifetime::new(1), name = reference, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(always)]
    fn release(&self) {}
}

#[guarded_fops(lifetime = { &DeviceLifetime::new(1) }, name = block, default = guarded)]
impl Device {
    fn ioctl(&self) -> Result<u8> {
        Ok(1)
    }
}

#[guarded_fops(lifetime = Some(&DeviceLifetime::new(1)), not_found = Ok(1), name = found, default = guarded)]
impl Device {
    fn mmap(&self) -> Result<u8> {
        Ok(1)
    }

    #[fop(always)]
    fn flush(&self) {}
}

#[guarded_fops(lifetime = made!(), name = by_macro, default = guarded)]
impl Device {
    fn write(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
