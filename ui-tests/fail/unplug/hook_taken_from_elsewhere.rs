use std::ops::Deref;

use fops_runtime::{Access, Cause, DeviceLifetime, Result, guarded_fops};

struct Core;

impl Core {
    fn quiesce(&self, _hw: &u8, _cause: Cause) {}
}

struct Device {
    lifetime: DeviceLifetime<u8>,
    core: Core,
}

impl Deref for Device {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

/// A method of what the device dereferences to is not the device's own.
#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce), default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

mod glob {
    use fops_runtime::*;

    pub struct Device {
        lifetime: DeviceLifetime<u8>,
    }

    /// With the traits of the runtime in scope.
    #[guarded_fops(lifetime = lifetime, unplug(stop = stop), default = guarded)]
    impl Device {
        fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
            Ok(**hw)
        }
    }
}

fn main() {}
