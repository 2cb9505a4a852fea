use fops_runtime::{Access, Cause, DeviceLifetime, Result, guarded_fops};

trait Quiet {
    fn quiesce(&self, hw: &u8, cause: Cause);
}

struct Stopped {
    lifetime: DeviceLifetime<u8>,
}

/// The generated `stop` and `wake` are not meant.
#[guarded_fops(lifetime = lifetime, unplug(stop = stop, wake = wake), default = guarded)]
impl Stopped {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

struct ByTrait {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce), default = guarded)]
impl ByTrait {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl Quiet for ByTrait {
    fn quiesce(&self, _hw: &u8, _cause: Cause) {}
}

struct ByAnotherType {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(wake = kick), default = guarded)]
impl ByAnotherType {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

impl Stopped {
    fn kick(&self, _hw: &u8) {}
}

fn main() {}
