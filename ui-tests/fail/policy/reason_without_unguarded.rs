use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[fop(reason = "touches no device resources")]
    fn llseek(&self) -> Result<u64> {
        Ok(0)
    }
}

fn main() {}
