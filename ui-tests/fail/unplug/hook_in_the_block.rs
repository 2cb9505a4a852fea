use fops_runtime::{Access, Cause, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = kick), unplugged = (), default = guarded)]
impl Device {
    fn read(&self, #[access] _hw: &Access<'_, u8>) {}

    fn quiesce(&self, _hw: &u8, _cause: Cause) {}

    #[fop(unguarded, reason = "wakes only")]
    fn kick(&self, _hw: &u8) {}
}

trait Operations {
    fn read(&self) -> Result<u8>;
    fn pause(&self, _hw: &u8, _cause: Cause) -> Result<u8>;
}

struct OfATrait {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = pause), default = guarded)]
impl Operations for OfATrait {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(always)]
    fn pause(&self, _hw: &u8, _cause: Cause) -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
