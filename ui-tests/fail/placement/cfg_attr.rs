use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[cfg_attr(all(), fop(always))]
    fn read(&self) -> Result<u8> {
        Ok(0)
    }

    fn write(&self, #[cfg_attr(all(), access)] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[cfg_attr(all(), inline)]
    fn ioctl(&self) -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
