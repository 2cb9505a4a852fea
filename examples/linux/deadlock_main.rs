// SPDX-License-Identifier: GPL-2.0
//! Two unplugs that may wait forever, for a kernel with lockdep, which has to say so. They end, because nobody else is here.
//!
//! With the parameter `inside` the unplug stands in a section of another device. Without it, the caller has a lock that
//! sections take.
use fops_runtime::{Cause, DeviceLifetime, guarded_fops};
use kernel::{new_mutex, prelude::*, sync::Mutex};

struct Device {
    lifetime: DeviceLifetime<u32>,
}

#[guarded_fops(lifetime = lifetime, default = guarded, resources = u32, unplug)]
impl Device {
    fn take(&self, #[access] _number: &u32, lock: Pin<&Mutex<()>>) -> Result {
        drop(lock.lock());
        Ok(())
    }

    fn unplug_other(&self, #[access] _number: &u32, other: &Device) -> Result {
        fops_runtime::Unplug::unplug(other, Cause::Unbind)?;
        Ok(())
    }
}

fn device() -> Device {
    Device { lifetime: DeviceLifetime::new(1) }
}

fn under_a_lock() -> Result {
    let lock = KBox::pin_init(new_mutex!(()), GFP_KERNEL)?;
    let device = device();
    device.take(lock.as_ref())?;
    let _held = lock.lock();
    fops_runtime::Unplug::unplug(&device, Cause::Unbind)?;
    Ok(())
}

struct Deadlock;

impl kernel::Module for Deadlock {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        if module_parameters::inside.value() {
            device().unplug_other(&device())?;
        } else {
            under_a_lock()?;
        }
        Ok(Self)
    }
}

module! {
    type: Deadlock,
    name: "deadlock",
    authors: ["fops"],
    description: "unplugs that may wait forever",
    license: "GPL",
    params: {
        inside: bool {
            default: false,
            description: "unplug inside a section",
        },
    },
}
