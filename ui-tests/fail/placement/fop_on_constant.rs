use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(guarded)]
    const LIMIT: usize = { 5 };

    fn read(&self) -> Result<usize> {
        Ok(Self::LIMIT)
    }
}

fn main() {}
