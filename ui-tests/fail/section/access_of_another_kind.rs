use std::sync::Arc;

use async_trait::async_trait;
use fops_runtime::{Access, DeviceLifetime, OwnedAccess, Result, guarded_fops};

struct Device {
    lifetime: Arc<DeviceLifetime<u8>>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn write(&self, #[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(**hw)
    }
}

#[async_trait]
trait Operations {
    async fn read(&self) -> Result<u8>;
}

#[async_trait]
#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Operations for Device {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
