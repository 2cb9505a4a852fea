//! A second block of a type breaks nobody who asks for the table of the first; and what leads to a lifetime.
use fops_runtime::{Access, DeviceLifetime, Errno, File, FileOperations, Guarded, OpTable, OwnedAccess, Result, guarded_fops};
use std::{ops::Deref, rc::Rc, sync::{Arc, LazyLock}};

struct Device {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime)]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded, unplug(), resources = u8)]
impl Device {
    fn start(&self) -> Result {
        Ok(())
    }

    /// `self` in other forms, and functions of another ABI.
    #[allow(improper_ctypes_definitions)]
    extern "C" fn ioctl(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    fn read(self: Rc<Self>, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

mod kernel {
    pub trait FileOperations {
        fn fetch(&self) -> fops_runtime::Result;
    }
}

/// A trait of the same name in another crate, beside the runtime's.
#[guarded_fops(lifetime = lifetime, default = guarded, name = fetch)]
impl kernel::FileOperations for Device {
    fn fetch(&self) -> Result {
        Ok(())
    }
}

use FileOperations as Files;

struct Renamed<T> {
    lifetime: DeviceLifetime<T>,
}

/// The runtime's trait by another name.
#[guarded_fops(lifetime = lifetime, name = FileOperations)]
impl<__T: Send + Sync + 'static> Files for Renamed<(__T, u8)> {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }
}

static GLOBAL: LazyLock<Arc<DeviceLifetime<u8>>> = LazyLock::new(|| Arc::new(DeviceLifetime::new(9)));

struct Pointer(Arc<DeviceLifetime<u8>>);

impl Deref for Pointer {
    type Target = Arc<DeviceLifetime<u8>>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

struct Pointers<'a> {
    shared: Arc<DeviceLifetime<u8>>,
    borrowed: &'a DeviceLifetime<u8>,
    boxed: Box<Pointer>,
}

#[guarded_fops(lifetime = shared, name = shared, default = guarded)]
impl Pointers<'_> {
    fn shared(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(polled)]
    async fn shared_later(&self, #[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(**hw)
    }
}

#[guarded_fops(lifetime = borrowed, name = borrowed, default = guarded)]
impl Pointers<'_> {
    fn borrowed(&mut self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }
}

#[guarded_fops(lifetime = boxed, name = boxed, default = guarded)]
impl Pointers<'_> {
    fn boxed(&self, #[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(polled)]
    async fn boxed_later(&self, #[access] _hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(1)
    }
}

/// A lifetime that needs no device to be found.
#[guarded_fops(lifetime = crate::GLOBAL, name = global, default = guarded)]
impl Pointers<'_> {
    fn global(#[access] hw: &Access<'_, u8>) -> Result<u8> {
        Ok(**hw)
    }

    #[fop(polled)]
    async fn global_later(#[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(**hw)
    }
}

/// A tuple struct's field is a number.
struct Tuple(u8, Arc<DeviceLifetime<u8>>);

#[guarded_fops(lifetime = 1, default = guarded, unplug())]
impl Tuple {
    /// It says what the resources are, too.
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<u8>) -> Result<u8> {
        Ok(self.0 + **hw)
    }
}

fn main() {
    assert!(Device::table().ops().iter().map(|op| op.name()).eq(["open"]));
    let names = |ops: OpTable| ops.ops().iter().map(|op| op.name()).collect::<Vec<_>>();
    assert_eq!(names(OpTable::of::<Device, { OpTable::key("Device") }>()), ["start", "ioctl", "read"]);
    assert_eq!(names(OpTable::of::<Device, { OpTable::key("fetch") }>()), ["fetch"]);
    assert_eq!(<Renamed<((), u8)> as Guarded<{ OpTable::key("FileOperations") }>>::OPS.len(), 1);
    assert_eq!(names(Renamed::<(u8, u8)>::table()), ["open"]);

    let device = Rc::new(Device { lifetime: DeviceLifetime::new(2) });
    assert_eq!((device.ioctl(), device.clone().read()), (Ok(2), Ok(2)));
    assert_eq!(fops_runtime::Unplug::unplug(&*device, fops_runtime::Cause::Unbind), Ok(2));
    assert_eq!((device.ioctl(), device.clone().read()), (Err(Errno::ENODEV), Err(Errno::ENODEV)));
    assert_eq!(device.start(), Err(Errno::ENODEV));
    assert_eq!(kernel::FileOperations::fetch(&*device), Err(Errno::ENODEV));
    let borrowed = DeviceLifetime::new(2);
    let lifetime = Arc::new(DeviceLifetime::new(1));
    let mut pointers =
        Pointers { shared: lifetime.clone(), borrowed: &borrowed, boxed: Box::new(Pointer(lifetime)) };
    assert_eq!((pointers.shared(), pointers.boxed(), pointers.borrowed()), (Ok(1), Ok(1), Ok(2)));
    assert_eq!(Pointers::global(), Ok(9));
    drop((pointers.shared_later(), pointers.boxed_later(), Pointers::global_later()));
    drop(Tuple(1, Arc::new(DeviceLifetime::new(1))).read());
}
