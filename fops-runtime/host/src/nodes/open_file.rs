//! One open file of a node.
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::erased::AnyFile;
use crate::nodes::node::Node;
use fops_runtime::{
    Command, Errno, IoctlArg, OpenFlags, PollEvents, Poller, Request, Result, SeekFrom, UserSliceReader,
    UserSliceWriter, VmArea,
};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One open file of a node. The driver's `release` runs when it is dropped, once.
pub struct OpenFile {
    node: Arc<Node>,
    id: u64,
    /// `None` only while it is dropped.
    file: Option<Box<dyn AnyFile>>,
    position: Lock<u64>,
}

impl Node {
    /// Opens a file on the node.
    ///
    /// # Errors
    /// `ENODEV` once the device is unplugged, or its driver is being unloaded; else the driver's.
    pub fn open(self: &Arc<Self>, flags: OpenFlags) -> Result<Arc<OpenFile>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if !self.registration().opened() {
            return Err(Errno::ENODEV);
        }
        let id = NEXT.fetch_add(1, Relaxed);
        match self.run("open", || as_opened(flags, || self.device.open(id, flags))) {
            Ok(file) => Ok(Arc::new(OpenFile::new(self.clone(), id, file))),
            Err(errno) => {
                self.registration().closed();
                Err(errno)
            }
        }
    }
}

/// Runs an operation for a caller that opened the file with these flags: with `O_NONBLOCK`, it is told `EAGAIN` while the
/// device is paused.
fn as_opened<T>(flags: OpenFlags, operation: impl FnOnce() -> T) -> T {
    if flags.is_nonblocking() { Request::nonblocking(operation) } else { operation() }
}

impl OpenFile {
    /// A file that the driver has just opened.
    pub(super) fn new(node: Arc<Node>, id: u64, file: Box<dyn AnyFile>) -> Self {
        Self { node, id, file: Some(file), position: Lock::new(0) }
    }

    /// The node it is open on.
    pub const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Unique among all files of the process, never reused.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// `fcntl(F_SETFL)`.
    pub fn set_flags(&self, flags: OpenFlags) {
        self.file().set_flags(flags);
    }

    /// `read(2)` at the file's own position, which it moves.
    ///
    /// # Errors
    /// `EBADF` where it is open for writing alone; the driver's; `EIO` when it panicked or claims more than it wrote.
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        let position = *self.position();
        let n = self.read_at(buf, position)?;
        *self.position() = position.saturating_add(n as u64);
        Ok(n)
    }

    /// `pread(2)`, at a position that the host keeps.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_at(&self, buf: &mut [u8], position: u64) -> Result<usize> {
        if self.file().flags().is_write_only() {
            return Err(Errno::EBADF);
        }
        self.run("read", || {
            let mut written = 0;
            let n = self.file().read(UserSliceWriter::new(buf, &mut written, position))?;
            if n > written {
                log!(error, "{}: read says {n} bytes and wrote {written}; the caller gets EIO", self.node.name());
                return Err(Errno::EIO);
            }
            Ok(n)
        })
    }

    /// `write(2)` at the file's own position, which it moves.
    ///
    /// # Errors
    /// `EBADF` where it is open for reading alone; the driver's; `EIO` when it panicked or claims more than it was given.
    pub fn write(&self, data: &[u8]) -> Result<usize> {
        let position = *self.position();
        let n = self.write_at(data, position)?;
        *self.position() = position.saturating_add(n as u64);
        Ok(n)
    }

    /// `pwrite(2)`, at a position that the host keeps.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_at(&self, data: &[u8], position: u64) -> Result<usize> {
        if self.file().flags().is_read_only() {
            return Err(Errno::EBADF);
        }
        self.run("write", || {
            let n = self.file().write(UserSliceReader::new(data, position))?;
            if n > data.len() {
                log!(error, "{}: write took {n} of {} bytes; the caller gets EIO", self.node.name(), data.len());
                return Err(Errno::EIO);
            }
            Ok(n)
        })
    }

    /// `poll(2)` for `requested`: the mask now. `poller` is told whenever it may have changed, and at unplug.
    pub fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents {
        // It never sleeps: its caller does, until it is woken.
        let poll = || Request::nonblocking(|| Ok(self.file().poll(requested, poller)));
        self.node.run("poll", poll).unwrap_or(PollEvents::ERR)
    }

    /// Sleeps in `poll(2)`, if the file is another process's.
    #[cfg(feature = "testkit")]
    pub(crate) fn sleep_in_poll(&self, wanted: PollEvents) -> Option<Result<PollEvents>> {
        self.file().sleep_in_poll(wanted)
    }

    /// `ioctl(2)`; the argument is as long as the command says.
    ///
    /// # Errors
    /// The driver's; `EIO` when it panicked or succeeded with a negative value.
    pub fn ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.run("ioctl", || self.checked(self.file().ioctl(command, arg)))
    }

    /// `ioctl(2)` of a 32-bit program.
    ///
    /// # Errors
    /// As [`ioctl`](Self::ioctl).
    pub fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.run("ioctl", || self.checked(self.file().compat_ioctl(command, arg)))
    }

    fn checked(&self, result: Result<i32>) -> Result<i32> {
        match result {
            Ok(value @ ..0) => {
                log!(error, "{}: ioctl succeeded with {value}; the caller gets EIO", self.node.name());
                Err(Errno::EIO)
            }
            result => result,
        }
    }

    /// `mmap(2)`: whether `area` may be mapped.
    ///
    /// # Errors
    /// The driver's; `ENODEV` where the node has no memory; `EINVAL` beyond its end.
    pub fn mmap(&self, area: &VmArea) -> Result {
        self.run("mmap", || {
            // The driver counts what it grants: refuse first what could not be mapped.
            let end = area.offset.checked_add(area.len);
            match self.node.memory() {
                Some(memory) if end.is_none_or(|end| end > memory.len()) => Err(Errno::EINVAL),
                Some(_) => self.file().mmap(area),
                None => self.file().mmap(area).and(Err(Errno::ENODEV)),
            }
        })
    }

    /// `lseek(2)`. Returns the new position, which it also moves to. The driver is asked for a place from the start,
    /// since the position is the host's.
    ///
    /// # Errors
    /// `EINVAL` before the start; the driver's.
    pub fn llseek(&self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Current(by) => SeekFrom::Start(self.position().checked_add_signed(by).ok_or(Errno::EINVAL)?),
            to => to,
        };
        let position = self.run("lseek", || self.file().llseek(to))?;
        *self.position() = position;
        Ok(position)
    }

    /// A descriptor of the file is closed.
    ///
    /// # Errors
    /// The driver's.
    pub fn flush(&self) -> Result {
        self.node.run("close", || self.file().flush())
    }

    /// Whether the driver has something to do when a descriptor is closed.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub(crate) fn has_flush(&self) -> bool {
        self.file().has_flush()
    }

    /// `fsync(2)`, or `fdatasync(2)`.
    ///
    /// # Errors
    /// The driver's.
    pub fn fsync(&self, datasync: bool) -> Result {
        self.run("fsync", || self.file().fsync(datasync))
    }

    fn run<T>(&self, call: &'static str, operation: impl FnOnce() -> Result<T>) -> Result<T> {
        self.node.run(call, || as_opened(self.file().flags(), operation))
    }

    fn file(&self) -> &dyn AnyFile {
        // Taken by `drop` alone.
        self.file.as_deref().expect("the file is open")
    }

    fn position(&self) -> std::sync::MutexGuard<'_, u64> {
        self.position.lock()
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // A panic in release is logged; the file is gone all the same.
            let _ = self.node.run("release", || {
                file.release();
                Ok(())
            });
        }
        self.node.registration().closed();
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("node", &self.node.name()).field("id", &self.id).finish_non_exhaustive()
    }
}
