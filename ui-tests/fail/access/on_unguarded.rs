use fops_runtime::{Access, DeviceLifetime, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(unguarded, reason = "reads a constant register")]
    fn show_fdinfo(&self, #[access] hw: &Access<'_, u8>) -> u8 {
        **hw
    }
}

fn main() {}
