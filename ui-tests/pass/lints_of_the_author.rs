//! The author's own lints fire, each once: an `expect` per lint is fulfilled, and nothing else is said.
#![deny(warnings)]

use fops_runtime::{Access, DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    #[expect(unused_variables)]
    fn read(&self, #[access] hw: &Access<'_, u8>, by_value: String, by_ref: &str) -> Result<u8> {
        Ok(0)
    }

    #[expect(unused_mut)]
    fn write(&self, mut by_value: String) -> Result<u8> {
        drop(by_value);
        Ok(0)
    }

    #[expect(unreachable_code)]
    fn ioctl(&self) -> Result<u8> {
        return Ok(0);
        Ok(1)
    }

    #[expect(dead_code)]
    fn mmap(&self) -> Result<u8> {
        Ok(0)
    }

    #[expect(unused_must_use)]
    fn poll(&self) -> Result<u8> {
        self.read(String::new(), "");
        self.write(String::new())?;
        self.ioctl()
    }
}

fn main() {
    let device = Device { lifetime: DeviceLifetime::new(1) };
    assert_eq!(device.poll(), Ok(0));
}
