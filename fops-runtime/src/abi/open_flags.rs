//! Flags of open files.

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
    pub(crate) const ACCESS: u32 = 3;
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
