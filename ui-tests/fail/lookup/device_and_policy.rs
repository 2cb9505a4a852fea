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
    fn read(&self, #[device] camera: Option<&Camera>, minor: u8) -> Result<u8> {
        let _ = camera.map(|camera| camera.lifetime.id());
        Ok(minor)
    }

    #[fop(always)]
    fn release(&self, #[device] camera: &Camera, minor: u8) -> u8 {
        let _ = camera.lifetime.id();
        minor
    }

    #[fop(unguarded, reason = "touches no device resources")]
    fn llseek(&self, #[device] camera: &Camera) -> u64 {
        camera.lifetime.id()
    }

    #[fop(always, not_found = ())]
    fn flush(&self, minor: u8) {
        let _ = minor;
    }

    #[fop(unguarded, reason = "touches no device resources", not_found = 0)]
    fn fsync(&self) -> u64 {
        0
    }
}

fn main() {}
