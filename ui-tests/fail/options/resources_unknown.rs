use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }
}

fn main() {}
