//! The section borrows from the device, which therefore stays where it is.
use std::sync::Arc;

use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(self: Arc<Self>, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        drop(self);
        Ok(**hw)
    }
}

fn main() {}
