use fops_runtime::{Access, DeviceLifetime, OwnedAccess, Result, guarded_fops};
use std::sync::Arc;

struct Device {
    lifetime: Arc<DeviceLifetime<u8>>,
}

type Hw<'a> = Access<'a, u8>;

#[guarded_fops(lifetime = lifetime, default = guarded, unplug())]
impl Device {
    fn by_value(&self, #[access] hw: Access<'_, u8>) -> Result<u8> {
        Ok(*hw)
    }

    fn by_exclusive_reference(&self, #[access] hw: &mut Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn with_lifetime<'a>(&'a self, #[access] hw: &'a mut Access<'a, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(always)]
    fn in_option(&self, #[access] hw: Option<Access<'_, u8>>) -> Result<u8> {
        Ok(hw.map_or(0, |hw| *hw))
    }

    #[fop(polled)]
    async fn owned(&self, #[access] hw: OwnedAccess<u8>) -> Result<u8> {
        Ok(*hw)
    }
}

struct Other {
    lifetime: DeviceLifetime<u8>,
}

/// The alias hides the type of the resources.
#[guarded_fops(lifetime = lifetime, default = guarded, unplug())]
impl Other {
    fn read(&self, #[access] hw: &Hw<'_>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
