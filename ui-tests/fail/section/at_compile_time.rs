use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    const fn read(&self) -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
