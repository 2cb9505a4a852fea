//! An op that nobody knows may need its device or may have to run without it: the author says so.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    fn frobnicate(&self) -> Result {
        Ok(())
    }
}

fn main() {}
