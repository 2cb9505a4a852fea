use std::sync::Mutex;

use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Hw {
    status: u8,
}

struct Device<'a> {
    lifetime: DeviceLifetime<Hw>,
    last: Mutex<Option<&'a u8>>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device<'_> {
    fn read(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        *self.last.lock().unwrap() = Some(&hw.status);
        Ok(0)
    }
}

fn main() {}
