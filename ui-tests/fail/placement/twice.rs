use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(guarded)]
    #[fop(guarded)]
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
