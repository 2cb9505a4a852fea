use fops_runtime::{DeviceLifetime, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = unguarded)]
impl Device {
    fn frobnicate(&self) {}
}

#[guarded_fops(lifetime = lifetime, default = sometimes, name = second)]
impl Device {
    fn defrobnicate(&self) {}
}

fn main() {}
