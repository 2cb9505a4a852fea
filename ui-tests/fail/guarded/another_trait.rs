//! A guarded block of another trait of the same name does not stand for the runtime's.
use fops_runtime::{DeviceLifetime, File, Result, Subdev, guarded_fops};

mod kernel {
    pub trait FileOperations {
        fn ioctl(&self) -> fops_runtime::Result<i32>;
    }

    pub trait SubdevOperations {
        fn s_stream(&self) -> fops_runtime::Result<i32>;
    }
}

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8)]
impl kernel::FileOperations for Device {
    fn ioctl(&self) -> Result<i32> {
        Ok(1)
    }
}

impl fops_runtime::FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime)]
impl kernel::SubdevOperations for Device {
    fn s_stream(&self) -> Result<i32> {
        Ok(1)
    }
}

impl fops_runtime::SubdevOperations for Device {
    fn release(self) {}
}

fn main() {
    drop(Subdev::new(Device { lifetime: DeviceLifetime::new(1) }));
}
