use std::{future::Future, pin::Pin};

use fops_runtime::{DeviceLifetime, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl Device {
    async fn read(&self) -> Result<u8> {
        Ok(0)
    }

    fn write(&self) -> impl Future<Output = u8> + use<> {
        async { 0 }
    }

    fn ioctl(&self) -> Pin<Box<dyn Future<Output = u8> + Send>> {
        Box::pin(async { 0 })
    }
}

fn main() {}
