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

#[guarded_fops(lifetime = lifetime, via = self.find(minor), not_found = Err(Errno::ENXIO), default = guarded)]
impl Cameras {
    fn read(&self, #[device] camera: &String, minor: u8) -> Result<usize> {
        Ok(camera.len() + usize::from(minor))
    }
}

fn main() {}
