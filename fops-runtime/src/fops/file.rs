//! An open file, and what a caller asks of it.
use crate::abi::OpenFlags;
use core::sync::atomic::{AtomicU32, Ordering};

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
#[non_exhaustive]
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
#[non_exhaustive]
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

impl VmArea {
    /// A private mapping of `len` bytes from `offset` on, for reading.
    pub const fn new(offset: u64, len: u64) -> Self {
        Self { offset, len, writable: false, shared: false }
    }

    /// The same, which may be written.
    pub const fn writable(self) -> Self {
        Self { writable: true, ..self }
    }

    /// The same, whose writes are seen by others.
    pub const fn shared(self) -> Self {
        Self { shared: true, ..self }
    }
}
