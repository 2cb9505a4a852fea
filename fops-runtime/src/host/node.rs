//! One device node, and the files that are open on it.
//!
//! This is where a host's threads enter the driver: panics end here, answers are checked, and the time from
//! the flag to each answer is measured.
use super::BufferMemory;
use super::devices::Registration;
use crate::platform;
use crate::{
    Client, Command, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents, PollTable, Poller, Request, Result,
    SeekFrom, Unplug, UserSliceReader, UserSliceWriter, VmArea,
};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A registered device node, such as `video0`.
///
/// It stays among the [`Devices`](super::Devices) until its device is gone and its last file is released; in
/// between it answers `ENODEV`.
pub struct Node {
    name: String,
    id: u64,
    device: Box<dyn AnyDevice>,
    memory: Option<Arc<BufferMemory>>,
    registration: Registration,
    running: AtomicUsize,
    answers: Mutex<Vec<Answer>>,
}

/// How long after unplug began an operation that was in flight then gave its answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The system call, such as `ioctl`.
    pub call: &'static str,
    /// Whose it was.
    pub client: Option<Client>,
    /// What it answered.
    pub errno: Option<Errno>,
    /// From the flag to the answer.
    pub after: Duration,
}

/// `ioctl of 42 (v4l2-ctl) answered ENODEV 41.2µs after the flag`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of ", self.call)?;
        match self.client {
            Some(client) => write!(f, "{client} answered ")?,
            None => f.write_str("a thread of this process answered ")?,
        }
        match self.errno {
            Some(errno) => write!(f, "{errno:?}")?,
            None => f.write_str("success")?,
        }
        write!(f, " {:.2?} after the flag", self.after)
    }
}

impl Node {
    pub(super) fn new<D>(
        name: String,
        device: Arc<D>,
        memory: Option<Arc<BufferMemory>>,
        registration: Registration,
    ) -> Self
    where
        D: FileOperations + Unplug,
    {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Relaxed);
        Self {
            name,
            id,
            device: Box::new(Device(device)),
            memory,
            registration,
            running: AtomicUsize::new(0),
            answers: Mutex::default(),
        }
    }

    /// Its name in `/dev`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells this node from every other, past and to come, of the same name too.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The memory that its files map.
    pub const fn memory(&self) -> Option<&Arc<BufferMemory>> {
        self.memory.as_ref()
    }

    /// Whether the device is being unplugged or gone.
    pub fn is_unplugged(&self) -> bool {
        self.device.is_unplugged()
    }

    /// How many files are open on it.
    pub fn open_files(&self) -> usize {
        self.registration.open_files()
    }

    /// How many operations run on its files now, those that sleep included.
    pub fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    /// The operations that were in flight when unplug began and have answered since, in their order.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) const fn registration(&self) -> &Registration {
        &self.registration
    }

    /// Opens a file on the node.
    ///
    /// # Errors
    /// `ENODEV` once the device is unplugged, or its driver is being unloaded; else the driver's.
    pub fn open(self: &Arc<Self>, flags: OpenFlags) -> Result<Arc<OpenFile>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if !self.registration.opened() {
            return Err(Errno::ENODEV);
        }
        let id = NEXT.fetch_add(1, Relaxed);
        match self.run("open", || self.device.open(id, flags)) {
            Ok(file) => Ok(Arc::new(OpenFile { node: self.clone(), id, file: Some(file), position: Mutex::new(0) })),
            Err(errno) => {
                self.registration.closed();
                Err(errno)
            }
        }
    }

    /// Runs one operation: a panic is `EIO`, and an answer given after unplug began is noted.
    fn run<T>(&self, call: &'static str, operation: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        let client = Request::current().client();
        // A number to look at: nothing is ordered by it.
        self.running.fetch_add(1, Relaxed);
        // The section is given back by unwinding.
        let result = platform::catch(operation).unwrap_or_else(|| {
            tracing::error!(node = self.name, call, "the operation panicked; the caller gets EIO");
            Err(Errno::EIO)
        });
        let ended = Instant::now();
        self.running.fetch_sub(1, Relaxed);
        if self.device.is_unplugged()
            && let Some(flag) = self.device.unplug_began()
            && began < flag
            && flag < ended
        {
            self.note(Answer { call, client, errno: result.as_ref().err().copied(), after: ended - flag });
        }
        result
    }

    fn note(&self, answer: Answer) {
        tracing::info!("{}: {answer}", self.name);
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// One open file of a node. The driver's `release` runs when it is dropped, once.
pub struct OpenFile {
    node: Arc<Node>,
    id: u64,
    /// `None` only while it is dropped.
    file: Option<Box<dyn AnyFile>>,
    position: Mutex<u64>,
}

impl OpenFile {
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
        self.node.run("read", || {
            let mut written = 0;
            let n = self.file().read(UserSliceWriter::new(buf, &mut written, position))?;
            if n > written {
                tracing::error!(node = self.node.name, "read says {n} bytes and wrote {written}; the caller gets EIO");
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
        self.node.run("write", || {
            let n = self.file().write(UserSliceReader::new(data, position))?;
            if n > data.len() {
                tracing::error!(node = self.node.name, "write took {n} of {} bytes; the caller gets EIO", data.len());
                return Err(Errno::EIO);
            }
            Ok(n)
        })
    }

    /// `poll(2)` for `requested`: the mask now. `poller` is told whenever it may have changed, and at unplug.
    pub fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents {
        self.node.run("poll", || Ok(self.file().poll(requested, poller))).unwrap_or(PollEvents::ERR)
    }

    /// `ioctl(2)`; `data` is what `value` points to, as long as the command says.
    ///
    /// # Errors
    /// The driver's; `EIO` when it panicked or succeeded with a negative value.
    pub fn ioctl(&self, command: Command, value: usize, data: &mut [u8]) -> Result<i32> {
        self.node.run("ioctl", || self.checked(self.file().ioctl(command, IoctlArg::new(value, data))))
    }

    /// `ioctl(2)` of a 32-bit program.
    ///
    /// # Errors
    /// As [`ioctl`](Self::ioctl).
    pub fn compat_ioctl(&self, command: Command, value: usize, data: &mut [u8]) -> Result<i32> {
        self.node.run("ioctl", || self.checked(self.file().compat_ioctl(command, IoctlArg::new(value, data))))
    }

    fn checked(&self, result: Result<i32>) -> Result<i32> {
        match result {
            Ok(value @ ..0) => {
                tracing::error!(node = self.node.name, "ioctl succeeded with {value}; the caller gets EIO");
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
        self.node.run("mmap", || {
            // The driver counts what it grants: refuse first what could not be mapped.
            let end = area.offset.checked_add(area.len);
            match &self.node.memory {
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
        let position = self.node.run("lseek", || self.file().llseek(to))?;
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

    /// `fsync(2)`, or `fdatasync(2)`.
    ///
    /// # Errors
    /// The driver's.
    pub fn fsync(&self, datasync: bool) -> Result {
        self.node.run("fsync", || self.file().fsync(datasync))
    }

    fn file(&self) -> &dyn AnyFile {
        // Taken by `drop` alone.
        self.file.as_deref().expect("the file is open")
    }

    fn position(&self) -> std::sync::MutexGuard<'_, u64> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.node.registration.closed();
    }
}

impl fmt::Debug for OpenFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenFile").field("node", &self.node.name).field("id", &self.id).finish_non_exhaustive()
    }
}

/// A device of any type.
trait AnyDevice: Send + Sync {
    fn open(&self, id: u64, flags: OpenFlags) -> Result<Box<dyn AnyFile>>;
    fn is_unplugged(&self) -> bool;
    fn unplug_began(&self) -> Option<Instant>;
}

struct Device<D>(Arc<D>);

impl<D: FileOperations + Unplug> AnyDevice for Device<D> {
    fn open(&self, id: u64, flags: OpenFlags) -> Result<Box<dyn AnyFile>> {
        let file = File::new(id, flags, ());
        let state = FileOperations::open(&*self.0, &file)?;
        Ok(Box::new(Opened { device: self.0.clone(), file: file.with_state(state) }))
    }

    fn is_unplugged(&self) -> bool {
        self.0.lifetime().is_unplugged()
    }

    fn unplug_began(&self) -> Option<Instant> {
        self.0.lifetime().unplug_began()
    }
}

/// An open file of a device of any type.
trait AnyFile: Send + Sync {
    fn flags(&self) -> OpenFlags;
    fn set_flags(&self, flags: OpenFlags);
    fn read(&self, buf: UserSliceWriter<'_>) -> Result<usize>;
    fn write(&self, buf: UserSliceReader<'_>) -> Result<usize>;
    fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents;
    fn ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32>;
    fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32>;
    fn mmap(&self, area: &VmArea) -> Result;
    fn llseek(&self, to: SeekFrom) -> Result<u64>;
    fn flush(&self) -> Result;
    fn fsync(&self, datasync: bool) -> Result;
    fn release(self: Box<Self>);
}

struct Opened<D: FileOperations> {
    device: Arc<D>,
    file: File<D::Open>,
}

impl<D: FileOperations + Unplug> AnyFile for Opened<D> {
    fn flags(&self) -> OpenFlags {
        self.file.flags()
    }

    fn set_flags(&self, flags: OpenFlags) {
        self.file.set_flags(flags);
    }

    fn read(&self, buf: UserSliceWriter<'_>) -> Result<usize> {
        self.device.read(&self.file, buf)
    }

    fn write(&self, buf: UserSliceReader<'_>) -> Result<usize> {
        self.device.write(&self.file, buf)
    }

    fn poll(&self, requested: PollEvents, poller: Option<&Arc<dyn Poller>>) -> PollEvents {
        let table = poller.map_or(PollTable::none(requested), |poller| PollTable::new(requested, poller));
        // Unplug wakes every poller, whatever queues the driver names.
        table.wait(self.device.lifetime().pollers());
        self.device.poll(&self.file, &table)
    }

    fn ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.device.ioctl(&self.file, command, arg)
    }

    fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.device.compat_ioctl(&self.file, command, arg)
    }

    fn mmap(&self, area: &VmArea) -> Result {
        self.device.mmap(&self.file, area)
    }

    fn llseek(&self, to: SeekFrom) -> Result<u64> {
        self.device.llseek(&self.file, to)
    }

    fn flush(&self) -> Result {
        self.device.flush(&self.file)
    }

    fn fsync(&self, datasync: bool) -> Result {
        self.device.fsync(&self.file, datasync)
    }

    fn release(self: Box<Self>) {
        let Self { device, file } = *self;
        device.release(file);
    }
}
