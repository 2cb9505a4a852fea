#![allow(unused_imports)]
use fops_runtime::{Access, Cause, DeviceLifetime, File, FileOperations, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(polled)]
    fn read(&self) -> Result {
        Ok(())
    }

    #[fop(polled, unguarded, reason = "touches no device resources")]
    async fn write(&self) -> Result {
        Ok(())
    }

    #[fop(guarded)]
    async fn ioctl(&self) -> Result {
        Ok(())
    }

    #[fop(polled)]
    fn mmap(&self) -> Result<Box<dyn Future<Output = u8>>> {
        Ok(Box::new(async { 1 }))
    }
}

fn main() {}
