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

#[guarded_fops(lifetime = lifetime, via = self.0[0].clone(), not_found = Err(Errno::ENXIO), default = guarded)]
impl Cameras {
    fn read(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

fn main() {}
