//! Nor does any other trait under that name.
use std::{fmt::Debug as SubdevOperations, marker::Unpin as FileOperations};

use fops_runtime::{DeviceLifetime, File, Result, guarded_fops};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8)]
impl FileOperations for Device {}

impl fops_runtime::FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime)]
impl SubdevOperations for Device {
    #[fop(unguarded, reason = "touches no device resources")]
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}

impl fops_runtime::SubdevOperations for Device {
    fn release(self) {}
}

fn main() {}
