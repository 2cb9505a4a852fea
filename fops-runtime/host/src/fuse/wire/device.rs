//! The device that requests reach: it answers everything, and sleeps only where it is told to.
use crate::bus::driver::{Driver, Probe};
use crate::nodes::buffer::BufferMemory;
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Errno, File, FileOperations, IoctlArg, PollEvents, PollTable, Result,
    SeekFrom, UserSliceReader, UserSliceWriter, WaitQueue, guarded_fops,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// What has happened to the devices of a driver.
#[derive(Default)]
pub(super) struct Counts {
    opened: AtomicUsize,
    released: AtomicUsize,
    pub(super) compat: AtomicUsize,
    /// Woken by nobody.
    pub(super) never: WaitQueue,
}

impl Counts {
    pub(super) fn assert_released(&self) {
        assert_eq!(self.opened.load(SeqCst), self.released.load(SeqCst), "files opened and released");
    }
}

pub(super) struct Device {
    lifetime: DeviceLifetime<()>,
    counts: Arc<Counts>,
}

/// A read of so many bytes sleeps until unplug or a signal.
pub(super) const SLEEPS: usize = 4095;

#[guarded_fops(lifetime = lifetime, unplug(), resources = (), crate = fops_runtime)]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        self.counts.opened.fetch_add(1, SeqCst);
        Ok(())
    }

    #[fop(always)]
    fn release(&self, _file: File) {
        self.counts.released.fetch_add(1, SeqCst);
    }

    fn read(&self, #[access] access: &Access<'_, ()>, file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if buf.remaining() == SLEEPS && !file.is_nonblocking() {
            access.wait_event(&self.counts.never, || None::<()>)?;
        }
        let n = buf.remaining() / 2;
        Ok(buf.fill(n, |bytes| bytes.fill(0x55)))
    }

    fn write(&self, _file: &File, buf: UserSliceReader<'_>) -> Result<usize> {
        Ok(buf.remaining() / 2)
    }

    fn poll(&self, _file: &File, table: &PollTable<'_>) -> PollEvents {
        table.wait(&self.counts.never);
        self.counts.never.wake_all();
        PollEvents::IN
    }

    fn ioctl(&self, _file: &File, command: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        match command.number() {
            number @ 0..=3 => {
                arg.data_mut().reverse();
                Ok(i32::from(number) - 1)
            }
            4 => arg.memdup_user(arg.value() as u64, command.size()).map(|_| 0),
            // As a driver might that hands through what it was told.
            5 => Err(Errno::from_raw(arg.value() as i32)),
            6 => panic!("asked to"),
            _ => Err(Errno::ENOTTY),
        }
    }

    fn compat_ioctl(&self, _file: &File, _command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.counts.compat.fetch_add(1, SeqCst);
        // A pointer of 32 bits.
        u32::from_ne_bytes(arg.read()?).try_into().map_err(|_| Errno::EOVERFLOW)
    }

    fn llseek(&self, _file: &File, to: SeekFrom) -> Result<u64> {
        match to {
            SeekFrom::Start(at) => Ok(at),
            _ => Err(Errno::EINVAL),
        }
    }

    fn fsync(&self, _file: &File, datasync: bool) -> Result {
        if datasync { Ok(()) } else { Err(Errno::EIO) }
    }
}

pub(super) struct Drivers(pub(super) Arc<Counts>);

impl Driver for Drivers {
    type Device = Device;

    fn name(&self) -> &str {
        "d"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Device>> {
        let device = Arc::new(Device { lifetime: DeviceLifetime::new(()), counts: self.0.clone() });
        probe.register_node("plain", &device, None);
        probe.register_node("mapped", &device, Some(BufferMemory::new(3 * 4096)?));
        Ok(device)
    }

    fn remove(&self, _device: &Arc<Device>, (): (), _cause: Cause) {}
}
