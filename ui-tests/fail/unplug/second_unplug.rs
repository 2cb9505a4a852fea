use fops_runtime::{Access, Cause, DeviceLifetime, Result, Unplug, guarded_fops};

struct InTheBlock {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl InTheBlock {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn unplug(&self, _cause: Cause) -> Result<u8> {
        Ok(1)
    }
}

struct Beside<T> {
    lifetime: DeviceLifetime<T>,
}

#[guarded_fops(lifetime = lifetime, unplug(), default = guarded)]
impl<T: Send> Beside<T> {
    fn read(&self, #[access] _hw: &Access<'_, T>) -> Result<u8> {
        Ok(1)
    }
}

impl<T: Send> Beside<T> {
    fn unplug(&self, cause: Cause) -> u8 {
        let _ = Unplug::unplug(self, cause);
        0
    }
}

fn main() {
    Beside { lifetime: DeviceLifetime::new(1) }.unplug(Cause::Unbind);
}
