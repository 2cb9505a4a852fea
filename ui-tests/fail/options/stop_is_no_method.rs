use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl Device {
    fn quiesce(&self) {}
}

fn main() {}
