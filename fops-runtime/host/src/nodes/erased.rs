//! Devices and open files of any type, as the nodes keep them.
#[cfg(feature = "testkit")]
use fops_runtime::Op;
use fops_runtime::{
    AfterUnplug, Command, Device, File, FileOperations, IoctlArg, OpenFlags, PollEvents, PollTable, Poller, Result,
    SeekFrom, UserSliceReader, UserSliceWriter, VmArea,
};
#[cfg(feature = "testkit")]
use std::any::Any;
use std::sync::Arc;
#[cfg(feature = "testkit")]
use std::sync::Weak;
use std::time::Instant;

/// A device of any type.
pub(crate) trait AnyDevice: Send + Sync {
    fn open(&self, id: u64, flags: OpenFlags) -> Result<Box<dyn AnyFile>>;
    fn is_unplugged(&self) -> bool;
    fn unplug_began(&self) -> Option<Instant>;
    /// Its operations on files.
    #[cfg(feature = "testkit")]
    fn ops(&self) -> &'static [Op];
    /// The number of its lifetime.
    #[cfg(feature = "testkit")]
    fn lifetime_id(&self) -> u64;
    /// The worst cause that it was told.
    #[cfg(feature = "testkit")]
    fn cause(&self) -> Option<fops_runtime::Cause>;
    /// Leads to the driver's structure as long as somebody holds it.
    #[cfg(feature = "testkit")]
    fn downgrade(&self) -> Weak<dyn Any + Send + Sync>;
}

/// Runs an operation of the driver's, which a test kit may want to know of.
#[cfg(feature = "testkit")]
use crate::nodes::observer::observed;
#[cfg(not(feature = "testkit"))]
fn observed<T>(_op: &'static str, operation: impl FnOnce() -> T) -> T {
    operation()
}

pub(crate) struct OfType<D>(pub(crate) Arc<D>);

impl<D: FileOperations + Device> AnyDevice for OfType<D> {
    fn open(&self, id: u64, flags: OpenFlags) -> Result<Box<dyn AnyFile>> {
        let file = File::new(id, flags, ());
        let state = observed("open", || FileOperations::open(&*self.0, &file))?;
        Ok(Box::new(Opened { device: self.0.clone(), file: file.with_state(state) }))
    }

    fn is_unplugged(&self) -> bool {
        self.0.lifetime().is_unplugged()
    }

    fn unplug_began(&self) -> Option<Instant> {
        self.0.lifetime().unplug_began()
    }

    #[cfg(feature = "testkit")]
    fn ops(&self) -> &'static [Op] {
        D::OPS
    }

    #[cfg(feature = "testkit")]
    fn lifetime_id(&self) -> u64 {
        self.0.lifetime().id()
    }

    #[cfg(feature = "testkit")]
    fn cause(&self) -> Option<fops_runtime::Cause> {
        self.0.lifetime().cause()
    }

    #[cfg(feature = "testkit")]
    fn downgrade(&self) -> Weak<dyn Any + Send + Sync> {
        let device: Weak<D> = Arc::downgrade(&self.0);
        device
    }
}

/// An open file of a device of any type.
pub(crate) trait AnyFile: Send + Sync {
    fn flags(&self) -> OpenFlags;
    fn set_flags(&self, flags: OpenFlags);
    fn read(&self, buf: UserSliceWriter<'_>) -> Result<usize>;
    fn write(&self, buf: UserSliceReader<'_>) -> Result<usize>;
    fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents;
    /// Sleeps in `poll(2)`, if the file is another process's. `None` for one of this process.
    #[cfg(feature = "testkit")]
    fn sleep_in_poll(&self, wanted: PollEvents) -> Option<Result<PollEvents>> {
        let _ = wanted;
        None
    }
    fn ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32>;
    fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32>;
    fn mmap(&self, area: &VmArea) -> Result;
    fn llseek(&self, to: SeekFrom) -> Result<u64>;
    fn flush(&self) -> Result;
    /// Whether the driver has an operation for it.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    fn has_flush(&self) -> bool;
    fn fsync(&self, datasync: bool) -> Result;
    fn release(self: Box<Self>);
}

struct Opened<D: FileOperations> {
    device: Arc<D>,
    file: File<D::Open>,
}

impl<D: FileOperations + Device> Opened<D> {
    /// Runs an operation. One that the driver has left out has no guard to answer for a device that is gone, and so is
    /// answered for here.
    fn or_gone<T: AfterUnplug>(&self, name: &'static str, operation: impl FnOnce() -> T) -> T {
        let gone = self.device.lifetime().is_unplugged();
        if gone && !D::OPS.iter().any(|op| op.name() == name) { T::after_unplug() } else { observed(name, operation) }
    }
}

impl<D: FileOperations + Device> AnyFile for Opened<D> {
    fn flags(&self) -> OpenFlags {
        self.file.flags()
    }

    fn set_flags(&self, flags: OpenFlags) {
        self.file.set_flags(flags);
    }

    fn read(&self, buf: UserSliceWriter<'_>) -> Result<usize> {
        self.or_gone("read", || self.device.read(&self.file, buf))
    }

    fn write(&self, buf: UserSliceReader<'_>) -> Result<usize> {
        self.or_gone("write", || self.device.write(&self.file, buf))
    }

    fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents {
        let table = poller.map_or(PollTable::none(requested), |poller| PollTable::new(requested, poller));
        // Unplug wakes every poller, whatever queues the driver names.
        table.wait(self.device.lifetime().pollers());
        let mask = self.or_gone("poll", || self.device.poll(&self.file, &table));
        // One that was inside when unplug began may have seen what the stop hook left behind.
        let gone = self.device.lifetime().is_unplugged();
        if gone { mask | PollEvents::after_unplug() } else { mask }
    }

    fn ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.or_gone("ioctl", || self.device.ioctl(&self.file, command, arg))
    }

    fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.or_gone("compat_ioctl", || self.device.compat_ioctl(&self.file, command, arg))
    }

    fn mmap(&self, area: &VmArea) -> Result {
        self.or_gone("mmap", || self.device.mmap(&self.file, area))
    }

    fn llseek(&self, to: SeekFrom) -> Result<u64> {
        self.or_gone("llseek", || self.device.llseek(&self.file, to))
    }

    fn flush(&self) -> Result {
        observed("flush", || self.device.flush(&self.file))
    }

    #[cfg(all(feature = "fuse", target_os = "linux"))]
    fn has_flush(&self) -> bool {
        D::OPS.iter().any(|op| op.name() == "flush")
    }

    fn fsync(&self, datasync: bool) -> Result {
        self.or_gone("fsync", || self.device.fsync(&self.file, datasync))
    }

    fn release(self: Box<Self>) {
        let Self { device, file } = *self;
        observed("release", || device.release(file));
    }
}

#[cfg(all(test, feature = "fuse", target_os = "linux"))]
mod tests {
    use super::*;
    use fops_runtime::{DeviceLifetime, guarded_fops};

    struct Plain(DeviceLifetime<()>);
    struct Flushes(DeviceLifetime<()>);

    #[guarded_fops(lifetime = self.0, resources = (), unplug(), crate = fops_runtime)]
    impl FileOperations for Plain {
        type Open = ();

        fn open(&self, _: &File) -> Result {
            Ok(())
        }
    }

    #[guarded_fops(lifetime = self.0, resources = (), unplug(), crate = fops_runtime)]
    impl FileOperations for Flushes {
        type Open = ();

        fn open(&self, _: &File) -> Result {
            Ok(())
        }
        fn flush(&self, _: &File) -> Result {
            Ok(())
        }
    }

    #[test]
    fn a_host_knows_which_drivers_flush() {
        let [plain, flushes]: [Box<dyn AnyDevice>; 2] = [
            Box::new(OfType(Arc::new(Plain(DeviceLifetime::new(()))))),
            Box::new(OfType(Arc::new(Flushes(DeviceLifetime::new(()))))),
        ];
        let asked = [plain, flushes].map(|device| device.open(1, OpenFlags::RDWR).unwrap().has_flush());
        assert_eq!(asked, [false, true]);
    }
}
