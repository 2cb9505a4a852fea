use fops_runtime::{Access, DeviceLifetime, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(always)]
    fn release(&self, #[access] hw: &Access<'_, Hw>) -> u8 {
        hw.status
    }
}

fn main() {}
