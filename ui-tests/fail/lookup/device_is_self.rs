#![allow(unused_imports)]
use std::sync::Arc;

use fops_runtime::{Access, DeviceLifetime, Errno, Result, guarded_fops};

struct Camera {
    lifetime: DeviceLifetime<u8>,
}

struct Cameras(Vec<Arc<Camera>>);

impl Cameras {
    fn find(&self, minor: u8) -> Option<Arc<Camera>> {
        self.0.get(usize::from(minor)).cloned()
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Camera {
    fn read(&self, #[device] camera: &Camera, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        let _ = camera;
        Ok(**hw)
    }

    fn write(#[device] &self) -> Result<u8> {
        Ok(0)
    }
}

fn main() {}
