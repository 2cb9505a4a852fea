use fops_runtime::{DeviceLifetime, OwnedAccess, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
