//! What of the kernel's interface (uapi/linux/fuse.h) is newer than the crate that has the rest: 7.32 to 7.40.
use rustix::fd::{AsRawFd, BorrowedFd};
use rustix::ioctl::{self, Ioctl, IoctlOutput, Opcode, Setter, opcode};
use std::ffi::c_void;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

pub(super) use polyfuse_kernel::*;

/// The largest `write(2)` that arrives in one piece, in bytes; also the largest `read(2)`.
pub(super) const MAX_WRITE: u32 = 1 << 20;
/// The size of a buffer for any request, in bytes: there is room for the arguments before the data.
pub(super) const BUFFER: usize = MAX_WRITE as usize + 4096;

/// The newest minor version that the structures here describe.
pub(super) const MINOR: u32 = 40;
/// The oldest that is spoken: Linux 5.4.
pub(super) const OLDEST_MINOR: u32 = 31;

/// `fuse_init_in` is followed by `flags2`.
pub(super) const FUSE_INIT_EXT: u32 = 1 << 30;
/// Flags of `flags2`, which the header counts from bit 32.
pub(super) const FUSE_DIRECT_IO_ALLOW_MMAP: u32 = 1 << 4;
pub(super) const FUSE_PASSTHROUGH: u32 = 1 << 5;

pub(super) const FOPEN_NOFLUSH: u32 = 1 << 5;
pub(super) const FOPEN_PARALLEL_DIRECT_WRITES: u32 = 1 << 6;
pub(super) const FOPEN_PASSTHROUGH: u32 = 1 << 7;

/// The first part of `fuse_init_in`, which every kernel sends.
pub(super) type InitIn = fuse_init_in;

/// `fuse_init_in` from `flags2` on.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct InitInExt {
    pub(super) flags2: u32,
    pub(super) unused: [u32; 11],
}

/// `fuse_init_out`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct InitOut {
    pub(super) major: u32,
    pub(super) minor: u32,
    pub(super) max_readahead: u32,
    pub(super) flags: u32,
    pub(super) max_background: u16,
    pub(super) congestion_threshold: u16,
    pub(super) max_write: u32,
    pub(super) time_gran: u32,
    pub(super) max_pages: u16,
    pub(super) map_alignment: u16,
    pub(super) flags2: u32,
    pub(super) max_stack_depth: u32,
    pub(super) request_timeout: u16,
    pub(super) unused: [u16; 11],
}

/// `fuse_open_out`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
pub(super) struct OpenOut {
    pub(super) fh: u64,
    pub(super) open_flags: u32,
    pub(super) backing_id: u32,
}

/// `fuse_backing_map`.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable)]
#[repr(C)]
struct BackingMap {
    fd: i32,
    flags: u32,
    padding: u64,
}

const _: () = assert!(size_of::<InitIn>() + size_of::<InitInExt>() == 64 && size_of::<InitOut>() == 64);
const _: () = assert!(size_of::<OpenOut>() == 16 && size_of::<BackingMap>() == 16);

/// `FUSE_DEV_IOC_BACKING_OPEN`, whose result is the new id.
struct BackingOpen(BackingMap);

// SAFETY: The opcode is the kernel's, the pointer is to the structure that it reads, and it writes nothing.
unsafe impl Ioctl for BackingOpen {
    type Output = u32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::write::<BackingMap>(229, 1)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        (&raw mut self.0).cast()
    }

    unsafe fn output_from_ptr(out: IoctlOutput, _: *mut c_void) -> rustix::io::Result<u32> {
        u32::try_from(out).map_err(|_| rustix::io::Errno::PROTO)
    }
}

/// Has the kernel take `file` as the backing of what is to be opened with the id that is returned.
pub(super) fn backing_open(channel: BorrowedFd<'_>, file: BorrowedFd<'_>) -> rustix::io::Result<u32> {
    let map = BackingMap { fd: file.as_raw_fd(), ..BackingMap::default() };
    // SAFETY: See `BackingOpen`.
    unsafe { ioctl::ioctl(channel, BackingOpen(map)) }
}

/// Gives the id back. What is open with it stays open.
pub(super) fn backing_close(channel: BorrowedFd<'_>, id: u32) -> rustix::io::Result<()> {
    const OPCODE: Opcode = opcode::write::<u32>(229, 2);
    // SAFETY: `FUSE_DEV_IOC_BACKING_CLOSE` reads a 32-bit id.
    let close = unsafe { Setter::<OPCODE, u32>::new(id) };
    // SAFETY: As above; it writes nothing.
    unsafe { ioctl::ioctl(channel, close) }
}
