//! Files that a V4L2 program can use: real ones, and those of the in-process host.
//!
//! A client talks to the kernel, so this is where the example needs `unsafe`; the driver has none.
use fops_host::{Descriptor, Mapping};
use fops_runtime::{Command, Errno, PollEvents, Result};
use rustix::event::{FdSetElement, FdSetIter, PollFd, PollFlags, Timespec, epoll, fd_set_insert, fd_set_num_elements};
use rustix::mm::{MapFlags, ProtFlags};
use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};
use std::path::Path;
use std::ptr;
use std::time::Duration;

/// An open video node.
pub trait VideoFile {
    /// `ioctl(2)` on an argument that `data` holds; nothing in it may be an address.
    ///
    /// # Errors
    /// The driver's; `EFAULT` when `data` is shorter than the command says.
    fn ioctl(&self, command: Command, data: &mut [u8]) -> Result;

    /// `read(2)`.
    ///
    /// # Errors
    /// The driver's.
    fn read(&self, buf: &mut [u8]) -> Result<usize>;

    /// `poll(2)`; an empty mask is a timeout.
    ///
    /// # Errors
    /// `EINTR`.
    fn poll(&self, events: PollEvents, timeout: Option<Duration>) -> Result<PollEvents>;

    /// `select(2)`, without a timeout: readable is [`IN`](PollEvents::IN), exceptional is [`PRI`](PollEvents::PRI). Where
    /// there is none, what it would make of `poll(2)`.
    ///
    /// # Errors
    /// `EINTR`.
    fn select(&self, events: PollEvents) -> Result<PollEvents> {
        let mask = self.poll(events, None)?;
        let gone = mask.intersects(PollEvents::ERR | PollEvents::HUP);
        Ok(if gone { mask | PollEvents::IN } else { mask })
    }

    /// `epoll_wait(2)`, without a timeout. Where there is none, `poll(2)`.
    ///
    /// # Errors
    /// `EINTR`.
    fn epoll(&self, events: PollEvents) -> Result<PollEvents> {
        self.poll(events, None)
    }

    /// `mmap(2)`, shared.
    ///
    /// # Errors
    /// The driver's.
    fn map(&self, offset: u64, len: u64) -> Result<Box<dyn Mapped>>;
}

/// A mapped buffer.
pub trait Mapped: Send {
    /// Copies from `offset` of the buffer.
    ///
    /// # Errors
    /// `EFAULT` beyond its end.
    fn read_at(&self, offset: u64, data: &mut [u8]) -> Result;
}

impl VideoFile for Descriptor {
    fn ioctl(&self, command: Command, data: &mut [u8]) -> Result {
        Self::ioctl(self, command, data).map(drop)
    }

    fn read(&self, buf: &mut [u8]) -> Result<usize> {
        Self::read(self, buf)
    }

    fn poll(&self, events: PollEvents, timeout: Option<Duration>) -> Result<PollEvents> {
        Self::poll(self, events, timeout)
    }

    fn map(&self, offset: u64, len: u64) -> Result<Box<dyn Mapped>> {
        Ok(Box::new(self.mmap(offset, len)?))
    }
}

impl Mapped for Mapping {
    fn read_at(&self, offset: u64, data: &mut [u8]) -> Result {
        Self::read_at(self, offset, data)
    }
}

/// A video node of the system.
#[derive(Debug)]
pub struct RealFile(File);

impl RealFile {
    /// Opens the node at `path` for reading and writing.
    ///
    /// # Errors
    /// Those of `open(2)`.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self(File::options().read(true).write(true).open(path)?))
    }
}

/// Any ioctl whose argument holds no address.
struct Ioctl<'a> {
    command: Command,
    data: &'a mut [u8],
}

// SAFETY: the argument is as long as the command says (`RealFile::ioctl` checks), and the kernel writes to it only.
unsafe impl rustix::ioctl::Ioctl for Ioctl<'_> {
    type Output = ();

    const IS_MUTATING: bool = true;

    fn opcode(&self) -> rustix::ioctl::Opcode {
        self.command.raw() as rustix::ioctl::Opcode
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.data.as_mut_ptr().cast()
    }

    unsafe fn output_from_ptr(_: rustix::ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

impl VideoFile for RealFile {
    fn ioctl(&self, command: Command, data: &mut [u8]) -> Result {
        if data.len() < command.size() {
            return Err(Errno::EFAULT);
        }
        // As V4L2 programs do: a signal that means nothing to them is none of their business.
        let again = || {
            // SAFETY: see `Ioctl`.
            unsafe { rustix::ioctl::ioctl(&self.0, Ioctl { command, data: &mut *data }) }
        };
        rustix::io::retry_on_intr(again).map_err(errno)
    }

    fn read(&self, buf: &mut [u8]) -> Result<usize> {
        rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut *buf)).map_err(errno)
    }

    fn poll(&self, events: PollEvents, timeout: Option<Duration>) -> Result<PollEvents> {
        let flags = PollFlags::from_bits_retain(events.bits() as u16);
        let mut fds = [PollFd::from_borrowed_fd(self.0.as_fd(), flags)];
        let timeout = timeout
            .map(|timeout| Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: timeout.subsec_nanos().into() });
        rustix::event::poll(&mut fds, timeout.as_ref()).map_err(errno)?;
        Ok(PollEvents::from_bits(fds[0].revents().bits().into()))
    }

    fn select(&self, events: PollEvents) -> Result<PollEvents> {
        let fd = self.0.as_raw_fd();
        let sets = |event| FdSet::new(fd, events.contains(event));
        let (mut readable, mut exceptional) = (sets(PollEvents::IN), sets(PollEvents::PRI));
        // SAFETY: the descriptor is open while the call lasts.
        unsafe { rustix::event::select(fd + 1, Some(&mut readable.0), None, Some(&mut exceptional.0), None) }
            .map_err(errno)?;
        let told = |set: &FdSet, event| if set.has(fd) { event } else { PollEvents::EMPTY };
        Ok(told(&readable, PollEvents::IN) | told(&exceptional, PollEvents::PRI))
    }

    fn epoll(&self, events: PollEvents) -> Result<PollEvents> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(errno)?;
        let data = epoll::EventData::new_u64(0);
        epoll::add(&epoll, &self.0, data, epoll::EventFlags::from_bits_retain(events.bits())).map_err(errno)?;
        let mut told = [epoll::Event { flags: epoll::EventFlags::empty(), data }];
        epoll::wait(&epoll, &mut told[..], None).map_err(errno)?;
        Ok(PollEvents::from_bits({ told[0].flags }.bits()))
    }

    fn map(&self, offset: u64, len: u64) -> Result<Box<dyn Mapped>> {
        let len = usize::try_from(len).map_err(|_| Errno::EINVAL)?;
        // SAFETY: a new mapping where the kernel likes it touches no memory of ours.
        let address =
            unsafe { rustix::mm::mmap(ptr::null_mut(), len, ProtFlags::READ, MapFlags::SHARED, &self.0, offset) };
        Ok(Box::new(RealMapping { address: address.map_err(errno)?, len }))
    }
}

/// A set for `select(2)`.
struct FdSet(Vec<FdSetElement>);

impl FdSet {
    /// One that has room for `fd`, and has it in it if `inside`.
    fn new(fd: RawFd, inside: bool) -> Self {
        let mut set = vec![FdSetElement::default(); fd_set_num_elements(1, fd + 1)];
        if inside {
            fd_set_insert(&mut set, fd);
        }
        Self(set)
    }

    fn has(&self, fd: RawFd) -> bool {
        FdSetIter::new(&self.0).any(|other| other == fd)
    }
}

/// Memory of the node.
///
/// # Invariants
/// `address` is a mapping of `len` bytes that this alone unmaps.
struct RealMapping {
    address: *mut c_void,
    len: usize,
}

// SAFETY: a mapping belongs to the process, not to a thread.
unsafe impl Send for RealMapping {}

impl Mapped for RealMapping {
    fn read_at(&self, offset: u64, data: &mut [u8]) -> Result {
        let end = offset.checked_add(data.len() as u64);
        end.filter(|&end| end <= self.len as u64).ok_or(Errno::EFAULT)?;
        // SAFETY: within the mapping, as just checked.
        let from = unsafe { self.address.cast::<u8>().add(offset as usize) };
        // SAFETY: both are valid for this length; the device may write at the same time, and a torn picture is
        // all that comes of it, since a byte copy reads whatever is there.
        unsafe { ptr::copy_nonoverlapping(from, data.as_mut_ptr(), data.len()) }
        Ok(())
    }
}

impl Drop for RealMapping {
    fn drop(&mut self) {
        // SAFETY: the invariant. An error would mean that it is none; then nothing is unmapped.
        let _ = unsafe { rustix::mm::munmap(self.address, self.len) };
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}
