use fops_runtime::{DeviceLifetime, SubdevOperations, guarded_fops};

struct Csi2 {
    lifetime: DeviceLifetime<u8>,
}

impl SubdevOperations for Csi2 {
    fn release(self) {}
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8, name = other)]
impl Csi2 {}

fn main() {}
