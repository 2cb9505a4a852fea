//! `default = guarded` does not reach what sounds like a release: it would be skipped after unplug.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn close_stream(&self) -> Result {
        Ok(())
    }
}

fn main() {}
