//! The in-process host: the same file semantics without a kernel.
use crate::in_process::areas::Areas;
use crate::nodes::buffer::BufferMemory;
use crate::nodes::devices::Devices;
use crate::nodes::open_file::OpenFile;
use fops_runtime::{Command, Errno, IoctlArg, OpenFlags, PollEvents, Poller, Result, SeekFrom, VmArea, WaitQueue};
use std::sync::Arc;
use std::time::Duration;

impl Devices {
    /// Opens the node `name`, as `open(2)` of its file does.
    ///
    /// # Errors
    /// `ENOENT` where there is none; `ENODEV` when its device is gone; else the driver's.
    pub fn open(&self, name: &str, flags: OpenFlags) -> Result<Descriptor> {
        let file = self.get(name).ok_or(Errno::ENOENT)?.open(flags)?;
        Ok(Descriptor::of(file))
    }
}

/// A file descriptor of this process. Cloning it is `dup(2)`; the last to be dropped releases the file.
///
/// Operations run on the calling thread. They are interruptible where the caller runs them inside a
/// [`Request`](fops_runtime::Request).
#[derive(Debug)]
pub struct Descriptor {
    /// `None` only once it is closed.
    file: Option<Arc<OpenFile>>,
}

/// Somebody who sleeps in [`Descriptor::poll`].
#[derive(Default)]
struct Sleeper(WaitQueue);

impl Poller for Sleeper {
    fn wake(&self) {
        self.0.wake_all();
    }
}

impl Descriptor {
    /// The first descriptor of an open file.
    pub(crate) const fn of(file: Arc<OpenFile>) -> Self {
        Self { file: Some(file) }
    }

    /// The open file behind it.
    pub fn file(&self) -> &Arc<OpenFile> {
        // Taken by `close` and `drop` alone.
        self.file.as_ref().expect("the descriptor is open")
    }

    /// `fcntl(F_SETFL)`.
    pub fn set_flags(&self, flags: OpenFlags) {
        self.file().set_flags(flags);
    }

    /// `read(2)`.
    ///
    /// # Errors
    /// As [`OpenFile::read`].
    pub fn read(&self, buf: &mut [u8]) -> Result<usize> {
        self.file().read(buf)
    }

    /// `write(2)`.
    ///
    /// # Errors
    /// As [`OpenFile::write`].
    pub fn write(&self, data: &[u8]) -> Result<usize> {
        self.file().write(data)
    }

    /// `poll(2)`: sleeps until one of `events`, an error or a hang-up is there, or for `timeout`.
    ///
    /// An empty mask is a timeout.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn poll(&self, events: PollEvents, timeout: Option<Duration>) -> Result<PollEvents> {
        let wanted = events | PollEvents::ERR | PollEvents::HUP;
        let sleeper = Arc::new(Sleeper::default());
        let poller: Arc<dyn Poller> = sleeper.clone();
        let ready = sleeper.0.wait_event(timeout, || {
            let mask = self.file().poll(wanted, Some(&poller)) & wanted;
            (mask != PollEvents::EMPTY).then_some(mask)
        })?;
        Ok(ready.unwrap_or_default())
    }

    /// `ioctl(2)`; `data` is what the argument points to, as long as the command says.
    ///
    /// # Errors
    /// `EFAULT` when `data` is shorter than that; else as [`OpenFile::ioctl`].
    pub fn ioctl(&self, command: Command, data: &mut [u8]) -> Result<i32> {
        self.ioctl_with(command, data, &mut [])
    }

    /// `ioctl(2)` whose argument holds pointers: to places in `memory`, by their true addresses.
    ///
    /// ```no_run
    /// # use fops_host::Descriptor;
    /// # use fops_runtime::{Command, Direction, Result};
    /// # fn s_ext_ctrls(file: &Descriptor) -> Result<i32> {
    /// # const S_EXT_CTRLS: Command = Command::new(Direction::ReadWrite, b'V', 72, 32);
    /// let mut controls = [0; 20];
    /// let mut argument = [0; 32];
    /// argument[24..].copy_from_slice(&(controls.as_ptr().addr() as u64).to_ne_bytes());
    /// file.ioctl_with(S_EXT_CTRLS, &mut argument, &mut [&mut controls])
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`ioctl`](Self::ioctl).
    pub fn ioctl_with(&self, command: Command, data: &mut [u8], memory: &mut [&mut [u8]]) -> Result<i32> {
        let user = data.get_mut(..command.size()).ok_or(Errno::EFAULT)?;
        // As between user space and a kernel: copied in, and out again after a success.
        let mut argument = vec![0; user.len()];
        if command.direction().copies_in() {
            argument.copy_from_slice(user);
        }
        let memory = Areas::new(memory);
        let value = self.file().ioctl(command, IoctlArg::new(0, &mut argument).with_user(&memory))?;
        if command.direction().copies_out() {
            user.copy_from_slice(&argument);
        }
        Ok(value)
    }

    /// `mmap(2)` of `len` bytes at `offset`, shared and writable.
    ///
    /// # Errors
    /// As [`OpenFile::mmap`].
    pub fn mmap(&self, offset: u64, len: u64) -> Result<Mapping> {
        self.file().mmap(&VmArea::new(offset, len).writable().shared())?;
        let memory = self.file().node().memory().ok_or(Errno::ENODEV)?.clone();
        Ok(Mapping { _file: self.file().clone(), memory, offset, len })
    }

    /// `lseek(2)`.
    ///
    /// # Errors
    /// As [`OpenFile::llseek`].
    pub fn llseek(&self, to: SeekFrom) -> Result<u64> {
        self.file().llseek(to)
    }

    /// `fsync(2)`, or `fdatasync(2)`.
    ///
    /// # Errors
    /// As [`OpenFile::fsync`].
    pub fn fsync(&self, datasync: bool) -> Result {
        self.file().fsync(datasync)
    }

    /// `close(2)`, with what the driver's flush answers.
    ///
    /// # Errors
    /// As [`OpenFile::flush`]. The descriptor is closed all the same.
    pub fn close(mut self) -> Result {
        // Taken, so that the drop does not flush a second time.
        self.file.take().map_or(Ok(()), |file| file.flush())
    }
}

impl Clone for Descriptor {
    fn clone(&self) -> Self {
        Self { file: self.file.clone() }
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            // Whoever wants the answer calls `close`.
            let _ = file.flush();
        }
    }
}

/// A part of a node's memory, mapped. It stays readable after unplug, and holds its file open.
#[derive(Debug)]
pub struct Mapping {
    _file: Arc<OpenFile>,
    memory: Arc<BufferMemory>,
    offset: u64,
    len: u64,
}

impl Mapping {
    /// Its length, in bytes.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing is mapped.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Copies from `offset` of the mapping.
    ///
    /// # Errors
    /// `EFAULT` beyond its end.
    pub fn read_at(&self, offset: u64, data: &mut [u8]) -> Result {
        let end = offset.checked_add(data.len() as u64);
        end.filter(|&end| end <= self.len).ok_or(Errno::EFAULT)?;
        self.memory.read_at(self.offset + offset, data)
    }
}
