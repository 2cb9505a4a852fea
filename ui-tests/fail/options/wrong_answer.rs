#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplugged = 5, default = guarded)]
impl Device {
    fn read(&self) -> Result {
        Ok(())
    }

    #[fop(unplugged)]
    fn write(&self) -> Result {
        Ok(())
    }

    #[fop(unplugged = Err(Errno::ENODEV))]
    fn ioctl(&self) -> Result {
        Ok(())
    }
}

fn main() {}
