//! The trait that a driver implements.
use super::file::{File, SeekFrom, VmArea};
use super::ioctl::{Command, IoctlArg};
use super::poll::PollTable;
use super::user::{UserSliceReader, UserSliceWriter};
use crate::abi::{Errno, PollEvents, Result};
use crate::op::{GuardsFileOperations, Op, OpTable};
use core::convert::Infallible;
use core::marker::{PhantomData, PhantomPinned};

/// The operations of a device node, after `struct file_operations`.
///
/// `#[guarded_fops]` on the impl block runs each inside a device access section; without it the block does
/// not compile. An operation that the driver leaves out answers what the kernel answers then. Once the
/// device is unplugged, every operation but `release` and `flush` answers `ENODEV`, poll its mask
/// (v4l2-dev.c).
pub trait FileOperations: GuardsFileOperations<AnyFileOperations> + Send + Sync + 'static {
    /// The driver's state for one open file: made by [`open`](Self::open), lent to every operation, given
    /// back at [`release`](Self::release).
    type Open: Send + Sync + 'static;

    /// A file is opened.
    ///
    /// # Errors
    /// The driver's; the file is not opened then, and not released either.
    fn open(&self, file: &File) -> Result<Self::Open>;

    /// The last close of one open file. Runs exactly once for each file that was opened, after unplug too.
    fn release(&self, file: File<Self::Open>) {
        drop(file);
    }

    /// `read(2)`. Returns how many bytes were written to `buf`; 0 is the end of the file.
    ///
    /// # Errors
    /// `EINVAL` where the driver has no read.
    fn read(&self, file: &File<Self::Open>, buf: UserSliceWriter<'_>) -> Result<usize> {
        let _ = (file, buf);
        Err(Errno::EINVAL)
    }

    /// `write(2)`. Returns how many bytes were taken from `buf`.
    ///
    /// # Errors
    /// `EINVAL` where the driver has no write.
    fn write(&self, file: &File<Self::Open>, buf: UserSliceReader<'_>) -> Result<usize> {
        let _ = (file, buf);
        Err(Errno::EINVAL)
    }

    /// `poll(2)`: what would not sleep now. Registers the queues that it depends on with `table` first.
    fn poll(&self, file: &File<Self::Open>, table: &PollTable<'_>) -> PollEvents {
        let _ = (file, table);
        PollEvents::DEFAULT
    }

    /// `ioctl(2)`. Returns what user space gets: 0 or more.
    ///
    /// # Errors
    /// `ENOTTY` where the driver does not know the command.
    fn ioctl(&self, file: &File<Self::Open>, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        let _ = (file, command, arg);
        Err(Errno::ENOTTY)
    }

    /// `ioctl(2)` from a 32-bit program on a 64-bit kernel.
    ///
    /// # Errors
    /// `ENOTTY` where the driver has none.
    fn compat_ioctl(&self, file: &File<Self::Open>, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        let _ = (file, command, arg);
        Err(Errno::ENOTTY)
    }

    /// `mmap(2)`: whether `area` of the node's buffer memory may be mapped.
    ///
    /// # Errors
    /// `ENODEV` where the driver has no mmap.
    fn mmap(&self, file: &File<Self::Open>, area: &VmArea) -> Result {
        let _ = (file, area);
        Err(Errno::ENODEV)
    }

    /// `lseek(2)`. Returns the new position.
    ///
    /// # Errors
    /// `ESPIPE` where the driver has none: a stream has no position.
    fn llseek(&self, file: &File<Self::Open>, to: SeekFrom) -> Result<u64> {
        let _ = (file, to);
        Err(Errno::ESPIPE)
    }

    /// A descriptor of the file is closed; others may be left. Runs after unplug too.
    ///
    /// # Errors
    /// The driver's, for `close(2)` to return.
    fn flush(&self, file: &File<Self::Open>) -> Result {
        let _ = file;
        Ok(())
    }

    /// `fsync(2)`, or `fdatasync(2)` where `datasync`.
    ///
    /// # Errors
    /// `EINVAL` where the driver has none.
    fn fsync(&self, file: &File<Self::Open>, datasync: bool) -> Result {
        let _ = (file, datasync);
        Err(Errno::EINVAL)
    }

    /// The table of these operations and their policies, to print or to assert on.
    fn table() -> OpTable
    where
        Self: Sized,
    {
        OpTable::new(<Self as GuardsFileOperations<AnyFileOperations>>::OPS)
    }
}

/// Implements [`FileOperations`] and no other trait that safe code can implement, which tells that trait from any other
/// one. It has no values.
#[doc(hidden)]
#[allow(missing_debug_implementations)]
pub struct AnyFileOperations(Infallible, PhantomPinned, PhantomData<&'static mut ()>);

#[diagnostic::do_not_recommend]
impl GuardsFileOperations<Self> for AnyFileOperations {
    const OPS: &'static [Op] = &[];
}

impl FileOperations for AnyFileOperations {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        match self.0 {}
    }
}
