use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self) -> u32 {
        0
    }

    fn write(&self) {}

    #[fop(guarded)]
    fn ioctl(&self) -> impl Iterator<Item = u8> + use<> {
        [1].into_iter()
    }

    fn mmap(&self) -> Result<u8, String> {
        Ok(0)
    }
}

fn main() {}
