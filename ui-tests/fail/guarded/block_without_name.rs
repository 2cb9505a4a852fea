//! A path that lets rustc look for the block would stop to compile with the second block. It never compiles.
use fops_runtime::{DeviceLifetime, Guarded, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }
}

fn main() {
    let _ = Device::OPS;
}
