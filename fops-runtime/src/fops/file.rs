//! An open file, and what a caller asks of it.
use core::sync::atomic::{AtomicU32, Ordering};

/// The flags of `open(2)` that a driver asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenFlags(u32);

impl OpenFlags {
    /// `O_RDONLY`.
    pub const RDONLY: Self = Self(0);
    /// `O_WRONLY`.
    pub const WRONLY: Self = Self(1);
    /// `O_RDWR`.
    pub const RDWR: Self = Self(2);
    /// `O_ACCMODE`.
    const ACCESS: u32 = 3;
    /// `O_NONBLOCK`.
    pub const NONBLOCK: Self = Self(0o4000);

    /// From the bits of `fcntl.h` (asm-generic).
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The bits of `fcntl.h` (asm-generic).
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether the file is open for reading alone.
    pub const fn is_read_only(self) -> bool {
        self.0 & Self::ACCESS == Self::RDONLY.0
    }

    /// Whether the file is open for writing alone.
    pub const fn is_write_only(self) -> bool {
        self.0 & Self::ACCESS == Self::WRONLY.0
    }

    /// Whether reads, writes and waits answer `EAGAIN` instead of sleeping.
    pub const fn is_nonblocking(self) -> bool {
        self.0 & Self::NONBLOCK.0 != 0
    }
}

impl core::ops::BitOr for OpenFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One open file: `struct file`, with the driver's state `S` for it (`private_data`).
///
/// The state is what [`FileOperations::open`](crate::FileOperations::open) returned; every operation is
/// lent it, and [`release`](crate::FileOperations::release) is given it back.
#[derive(Debug, Default)]
pub struct File<S = ()> {
    id: u64,
    // `fcntl(F_SETFL)` changes them while the file is open.
    flags: AtomicU32,
    state: S,
}

impl<S> File<S> {
    /// An open file numbered `id`, for hosts.
    pub const fn new(id: u64, flags: OpenFlags, state: S) -> Self {
        Self { id, flags: AtomicU32::new(flags.bits()), state }
    }

    /// Unique among all files of the process, never reused.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// The flags it has now.
    pub fn flags(&self) -> OpenFlags {
        // A flag of its own: nothing is ordered by it.
        OpenFlags::from_bits(self.flags.load(Ordering::Relaxed))
    }

    /// Sets the flags, for hosts: `fcntl(F_SETFL)`. What the file was opened for stays.
    pub fn set_flags(&self, flags: OpenFlags) {
        let access = self.flags().bits() & OpenFlags::ACCESS;
        self.flags.store(flags.bits() & !OpenFlags::ACCESS | access, Ordering::Relaxed);
    }

    /// Whether operations answer `EAGAIN` instead of sleeping.
    pub fn is_nonblocking(&self) -> bool {
        self.flags().is_nonblocking()
    }

    /// The driver's state for this file.
    pub const fn state(&self) -> &S {
        &self.state
    }

    /// The driver's state, taken out at the file's release.
    pub fn into_state(self) -> S {
        self.state
    }

    /// The same file with another state, for hosts: what `open` made.
    pub fn with_state<T>(self, state: T) -> File<T> {
        File { id: self.id, flags: self.flags, state }
    }
}

/// Where `llseek` is to move to, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeekFrom {
    /// `SEEK_SET`: from the start.
    Start(u64),
    /// `SEEK_CUR`: from the position it has. Hosts that keep the position ask for [`Start`](Self::Start) instead.
    Current(i64),
    /// `SEEK_END`: from the end.
    End(i64),
    /// `SEEK_DATA`: the next data at or after this offset.
    Data(u64),
    /// `SEEK_HOLE`: the next hole at or after this offset.
    Hole(u64),
}

/// What `mmap(2)` asks for: a part of the node's buffer memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmArea {
    /// Where the mapping starts in the node's memory, in bytes, a multiple of the page size.
    pub offset: u64,
    /// How long it is, in bytes.
    pub len: u64,
    /// Whether the mapping may be written.
    pub writable: bool,
    /// Whether writes are seen by others (`MAP_SHARED`).
    pub shared: bool,
}
