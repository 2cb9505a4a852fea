use fops_runtime::{DeviceLifetime, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(unguarded)]
    fn llseek(&self) -> u64 {
        0
    }

    #[fop(unguarded, reason = "")]
    fn show_fdinfo(&self) {}
}

fn main() {}
