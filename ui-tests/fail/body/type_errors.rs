//! What is wrong in a body is said once, where it is wrong.
use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        let unused = 1;
        Ok(hw.state)
    }

    fn write(&self, #[access] hw: &Access<'_, Hw>) -> Result<u16> {
        hw.status
    }

    fn ioctl(&self, #[access] hw: &Access<'_, Hw>) -> Result<u16> {
        hw.status;
    }
}

fn main() {}
