//! Without `#[guarded_fops]` nobody knows what `#[access]` means.
use fops_runtime::{Access, DeviceLifetime, Result};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

impl Device {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
