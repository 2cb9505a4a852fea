//! The right name is suggested where one is near, and the options that are right still count.
use fops_runtime::{Cause, DeviceLifetime, Result, Unplug, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetyme = lifetime, unplug(stopp = quiesce, wake = kick), resources = u8)]
impl Device {
    fn read(&self) -> Result<usize> {
        Ok(0)
    }

    #[fop(unguraded, reason = "touches no device resources")]
    fn llseek(&self) -> u64 {
        0
    }
}

impl Device {
    fn kick(&self, _hw: &u8) {}
}

fn main() {
    let device = Device { lifetime: DeviceLifetime::new(0) };
    let _ = device.unplug(Cause::Unbind);
}
