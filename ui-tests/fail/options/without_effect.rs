use fops_runtime::{DeviceLifetime, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl Device {
    #[fop(always, unplugged = ())]
    fn release(&self) {}

    #[fop(unguarded, reason = "touches no device resources", via = other)]
    fn llseek(&self) -> u64 {
        0
    }
}

fn main() {}
