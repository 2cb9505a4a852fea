//! Enters and leaves a thousand times in `counted`: nested, owned, or plain.
use fops_runtime::{DeviceLifetime, OwnedAccess};
use fops_runtime::op::op;
use std::sync::Arc;

type Device = Arc<DeviceLifetime<u32>>;

#[inline(never)]
fn counted_plain(device: &Device) {
    for _ in 0..1000 {
        drop(device.enter(op!("pair")));
    }
}

#[inline(never)]
fn counted_owned(mut device: Device) -> Option<Device> {
    for _ in 0..1000 {
        device = OwnedAccess::enter(device, op!("pair")).ok()?.exit();
    }
    Some(device)
}

fn main() {
    let device = Arc::new(DeviceLifetime::new(5));
    let outer = device.enter(op!("outer"));
    match std::env::args().nth(1).as_deref() {
        Some("nested") => counted_plain(&device),
        Some("owned") => {
            drop(outer);
            drop(counted_owned(device.clone()));
        }
        _ => {
            drop(outer);
            counted_plain(&device);
        }
    }
}
