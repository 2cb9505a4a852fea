use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(_me: &Self) -> Result<u8> {
        Ok(0)
    }

    fn open() -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
