//! Models of the unplug sequence and of the waits: see `gate/models`.
extern crate std;

mod arm;
#[cfg(not(fops_shared))]
mod pause;
mod removers;
mod sleepers;
#[cfg(feature = "async")]
mod tasks;

use crate::gate::models::{Arc, Registers, bounded, spawn};
use crate::lifetime::{Cause, DeviceLifetime, Unplug};
use crate::op::op;

type Device = DeviceLifetime<Registers>;

fn device() -> Arc<Device> {
    Arc::new(DeviceLifetime::new(Registers::new()))
}

/// One operation: reads the registers twice, if it gets in.
fn operate(device: &Device) {
    if let Ok(access) = device.enter(op!("model")) {
        assert_eq!(access.read(), 7);
        assert_eq!(access.read(), 7);
    }
}

fn unplug(device: &Device) {
    device.alone().begin_unplug(Cause::Unbind).unwrap().wait().destroy();
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    bounded(3, f);
}
