//! Strings where identifiers, types and paths are meant.
use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = "lifetime", name = "key", default = "guarded", crate = "fops_runtime", resources = "u8")]
impl Device {
    fn read(&self) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime, name = other, default = guarded, unplug(stop = "halt", wake = ""), resources = u8)]
impl Device {
    fn write(&self) -> Result {
        Ok(())
    }
}

fn main() {}
