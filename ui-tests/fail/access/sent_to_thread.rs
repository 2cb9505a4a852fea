use std::thread;

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
        thread::spawn(|| println!("{}", hw.status));
        Ok(0)
    }

    fn write(&self, #[access] hw: &Access<'_, Hw>) -> Result<u8> {
        thread::scope(|scope| {
            scope.spawn(|| println!("{}", hw.status));
        });
        Ok(0)
    }
}

fn main() {}
