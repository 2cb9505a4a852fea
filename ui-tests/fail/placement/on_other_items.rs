use fops_runtime::{DeviceLifetime, Result, guarded_fops};

#[guarded_fops(lifetime = lifetime)]
struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
enum State {
    On,
}

#[guarded_fops(lifetime = lifetime)]
pub(crate) trait Operations {
    #[fop(always)]
    fn read(&self) -> Result;
}

#[guarded_fops(lifetime = lifetime)]
fn read() {}

#[guarded_fops(lifetime = lifetime)]
mod operations {}

#[guarded_fops(lifetime = lifetime)]
use std as core_of_std;

impl Device {
    #[guarded_fops(lifetime = lifetime)]
    fn write(&self) {}
}

fn main() {}
