//! The shape of the kernel's `MiscDevice`: no `self`, an error type of its own, the device by way of a parameter.
use std::{ops::Deref, pin::Pin, sync::Arc};

use fops_runtime::{Access, Cause, DeviceLifetime, File, Guarded, OpTable, Policy, Unplug, guarded_fops};

mod kernel {
    use super::{Arc, Deref, File, Pin};

    #[derive(Debug, PartialEq)]
    pub struct Error(pub i32);
    pub type Result<T = ()> = std::result::Result<T, Error>;
    pub const ENODEV: Error = Error(-19);

    pub struct MiscDeviceRegistration<T>(pub Arc<T>);

    impl<T> MiscDeviceRegistration<T> {
        pub fn data(&self) -> &T {
            &self.0
        }
    }

    pub trait MiscDevice: Sized {
        type Ptr: Deref<Target = Self>;

        fn open(file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr>;

        fn ioctl(_device: Pin<&Self>, _file: &File, _cmd: u32, _arg: usize) -> Result<isize> {
            Err(Error(-25))
        }

        fn release(device: Self::Ptr, _file: &File) {
            drop(device);
        }
    }
}
use kernel::{ENODEV, MiscDevice, MiscDeviceRegistration, Result};

struct Hw {
    id: isize,
}

struct Device {
    lifetime: DeviceLifetime<Hw>,
}

#[guarded_fops(lifetime = lifetime, via = me, unplugged = Err(ENODEV), unplug())]
impl MiscDevice for Device {
    type Ptr = Arc<Self>;

    #[fop(via = misc.data())]
    fn open(_file: &File, misc: &MiscDeviceRegistration<Self>) -> Result<Self::Ptr> {
        Ok(misc.0.clone())
    }

    fn ioctl(me: Pin<&Self>, #[access] hw: &Access<'_, Hw>, _file: &File, cmd: u32, _arg: usize) -> Result<isize> {
        assert_eq!(me.id(), Ok(3));
        Ok(hw.id + isize::try_from(cmd).unwrap())
    }

    fn release(me: Self::Ptr, #[access] hw: Option<&Access<'_, Hw>>, _file: &File) {
        assert_eq!(hw.is_some(), me.id().is_ok());
    }
}

/// A second block of the same type has a table of its own.
#[guarded_fops(lifetime = self.lifetime, name = inherent, default = guarded)]
impl Device {
    fn id(&self, #[access] hw: &Access<'_, Hw>) -> fops_runtime::Result<isize> {
        Ok(hw.id)
    }
}

fn main() {
    let device = Arc::new(Device { lifetime: DeviceLifetime::new(Hw { id: 3 }) });
    let registration = MiscDeviceRegistration(device.clone());
    let file = File::default();
    let open = Device::open(&file, &registration).unwrap();
    let other = Device::open(&file, &registration).unwrap();
    assert_eq!(Device::ioctl(Pin::new(&open), &file, 1, 0), Ok(4));
    Device::release(other, &file);

    assert!(device.unplug(Cause::Unbind).is_ok());
    assert_eq!(Device::ioctl(Pin::new(&open), &file, 1, 0), Err(ENODEV));
    assert_eq!(Device::open(&file, &registration).err(), Some(ENODEV));
    Device::release(open, &file);

    let ops = <Device as Guarded<{ OpTable::key("MiscDevice") }>>::OPS;
    let policies: Vec<_> = ops.iter().map(|op| (op.name(), op.policy())).collect();
    assert_eq!(policies, [("open", Policy::Guarded), ("ioctl", Policy::Guarded), ("release", Policy::Always)]);
    assert_eq!(<Device as Guarded<{ OpTable::key("inherent") }>>::OPS.len(), 1);
}
