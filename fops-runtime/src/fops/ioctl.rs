//! ioctl commands and their argument.
use super::user::UserMemory;
use crate::abi::{Errno, Result};
use core::fmt;
#[cfg(feature = "std")]
extern crate std;

/// Which way an ioctl's argument goes, as user space sees it: `_IOC_DIR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// `_IO`: no argument, or a plain number.
    None,
    /// `_IOW`: user space writes it, the driver reads it.
    Write,
    /// `_IOR`: the driver fills it in.
    Read,
    /// `_IOWR`: both.
    ReadWrite,
}

impl Direction {
    /// Whether the argument is copied in before the operation: user space writes it.
    ///
    /// ```
    /// use fops_runtime::Direction;
    /// assert!(Direction::Write.copies_in() && !Direction::Write.copies_out());
    /// ```
    pub const fn copies_in(self) -> bool {
        matches!(self, Self::Write | Self::ReadWrite)
    }

    /// Whether the argument is copied out after the operation has succeeded: user space reads it.
    pub const fn copies_out(self) -> bool {
        matches!(self, Self::Read | Self::ReadWrite)
    }

    /// `_IOC_NONE`, `_IOC_WRITE` and `_IOC_READ` of `asm-generic/ioctl.h`.
    const fn bits(self) -> u32 {
        self.copies_in() as u32 | (self.copies_out() as u32) << 1
    }

    /// Of two bits.
    const fn from_bits(bits: u32) -> Self {
        match bits & 3 {
            0 => Self::None,
            1 => Self::Write,
            2 => Self::Read,
            _ => Self::ReadWrite,
        }
    }
}

/// An ioctl command: direction, size, type and number in one word, as `asm-generic/ioctl.h` packs them.
///
/// ```
/// use fops_runtime::{Command, Direction};
/// const VIDIOC_QUERYCAP: Command = Command::new(Direction::Read, b'V', 0, 104);
/// assert_eq!(VIDIOC_QUERYCAP.raw(), 0x8068_5600);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Command(u32);

impl Command {
    /// Packs a command; `size` is that of the argument, in bytes.
    ///
    /// # Panics
    /// When `size` needs more than 14 bits.
    pub const fn new(direction: Direction, kind: u8, number: u8, size: usize) -> Self {
        assert!(size < 1 << 14, "an ioctl argument is smaller than 16 KiB");
        Self(direction.bits() << 30 | (size as u32) << 16 | (kind as u32) << 8 | number as u32)
    }

    /// The word user space passes.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The word user space passes.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Which way the argument goes.
    pub const fn direction(self) -> Direction {
        Direction::from_bits(self.0 >> 30)
    }

    /// The argument's size, in bytes.
    pub const fn size(self) -> usize {
        ((self.0 >> 16) & 0x3fff) as usize
    }

    /// The type: a letter that names the family, such as `V`.
    pub const fn kind(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The number within the family.
    pub const fn number(self) -> u8 {
        self.0 as u8
    }
}

/// `ioctl 'V' 17 (0xc0585611)`.
impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ioctl {:?} {} ({:#010x})", self.kind() as char, self.number(), self.0)
    }
}

/// The argument of an ioctl: the word that user space passed, and a copy of what it points to.
///
/// The host copied it in before the section opened, as far as the [`Command`] says it is read, and copies
/// it out after the section closed, as far as the command says it is filled in and the operation
/// succeeded. So an operation never sleeps on user memory inside its section, unless the argument itself holds
/// pointers. What those point to is copied where the driver asks for it, and that may sleep: hold no lock that an
/// interrupt handler takes. Unplug and signals end the sleep.
///
/// ```
/// # #[cfg(feature = "std")] {
/// use fops_runtime::{Errno, IoctlArg, Result};
///
/// /// `struct v4l2_ext_controls`: how many there are, and where.
/// fn g_ext_ctrls(arg: &IoctlArg<'_>, count: usize, controls: u64) -> Result {
///     const SIZE: usize = 20;
///     if count > 1024 {
///         return Err(Errno::EINVAL);
///     }
///     let mut array = arg.memdup_user(controls, count * SIZE)?;
///     for control in array.chunks_exact_mut(SIZE) {
///         control[12..16].copy_from_slice(&50_u32.to_ne_bytes());
///     }
///     arg.copy_to_user(controls, &array)
/// }
/// # assert_eq!(g_ext_ctrls(&IoctlArg::new(0, &mut []), 1, 0x1000), Err(Errno::EFAULT));
/// # }
/// ```
pub struct IoctlArg<'a> {
    value: usize,
    data: &'a mut [u8],
    user: Option<&'a dyn UserMemory>,
}

impl<'a> IoctlArg<'a> {
    /// For hosts: `data` is as long as the command's size.
    pub fn new(value: usize, data: &'a mut [u8]) -> Self {
        Self { value, data, user: None }
    }

    /// For hosts: `user` is the memory of the caller. Without it every address is a bad one.
    #[must_use]
    pub fn with_user(self, user: &'a dyn UserMemory) -> Self {
        Self { user: Some(user), ..self }
    }

    /// The word itself: a number or a user address, as the command has it.
    pub const fn value(&self) -> usize {
        self.value
    }

    /// The argument as user space wrote it; zeros where the command does not say that it is read.
    pub const fn data(&self) -> &[u8] {
        self.data
    }

    /// The argument to fill in.
    pub const fn data_mut(&mut self) -> &mut [u8] {
        self.data
    }

    /// The first `N` bytes, for a plain integer argument.
    ///
    /// # Errors
    /// `EFAULT` when the argument is shorter.
    pub fn read<const N: usize>(&self) -> Result<[u8; N]> {
        self.data.first_chunk().copied().ok_or(Errno::EFAULT)
    }

    /// Fills in the first bytes.
    ///
    /// # Errors
    /// `EFAULT` when the argument is shorter than `bytes`.
    pub fn write(&mut self, bytes: &[u8]) -> Result {
        self.data.get_mut(..bytes.len()).ok_or(Errno::EFAULT)?.copy_from_slice(bytes);
        Ok(())
    }

    /// The most that is copied at once from or to where a pointer in the argument points, in bytes.
    pub const MAX_COPY: usize = 1 << 20;

    /// Copies what is at `address` in the memory of the caller, all of it or nothing: `copy_from_user()`.
    ///
    /// # Errors
    /// `EFAULT` when that is not all the caller's to read; `EINVAL` for more than [`MAX_COPY`](Self::MAX_COPY);
    /// `ENODEV` when unplug begins while it sleeps, `EINTR` when a signal comes.
    pub fn copy_from_user(&self, out: &mut [u8], address: u64) -> Result {
        match self.user_at(address, out.len())? {
            Some(user) => user.read(address, out),
            None => Ok(()),
        }
    }

    /// Copies `data` to `address` in the memory of the caller: `copy_to_user()`. After an error a part of it may have
    /// been copied.
    ///
    /// # Errors
    /// `EFAULT` when that is not all the caller's to write; else as [`copy_from_user`](Self::copy_from_user).
    pub fn copy_to_user(&self, address: u64, data: &[u8]) -> Result {
        match self.user_at(address, data.len())? {
            Some(user) => user.write(address, data),
            None => Ok(()),
        }
    }

    /// A copy of the `len` bytes at `address` in the memory of the caller: `memdup_user()`.
    ///
    /// # Errors
    /// As [`copy_from_user`](Self::copy_from_user); nothing is allocated for a length beyond the limit.
    #[cfg(feature = "std")]
    pub fn memdup_user(&self, address: u64, len: usize) -> Result<std::vec::Vec<u8>> {
        self.user_at(address, len)?;
        let mut copy = std::vec![0; len];
        self.copy_from_user(&mut copy, address)?;
        Ok(copy)
    }

    /// Whom to ask for these bytes; `None` where there are none to copy.
    fn user_at(&self, address: u64, len: usize) -> Result<Option<&'a dyn UserMemory>> {
        if len == 0 {
            return Ok(None);
        }
        if len > Self::MAX_COPY {
            return Err(Errno::EINVAL);
        }
        address.checked_add(len as u64).ok_or(Errno::EFAULT)?;
        self.user.ok_or(Errno::EFAULT).map(Some)
    }
}

impl fmt::Debug for IoctlArg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IoctlArg").field("value", &self.value).field("data", &self.data).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_keeps_its_parts() {
        let dqbuf = Command::new(Direction::ReadWrite, b'V', 17, 88);
        assert_eq!(
            (dqbuf.direction(), dqbuf.kind(), dqbuf.number(), dqbuf.size()),
            (Direction::ReadWrite, b'V', 17, 88)
        );
        assert_eq!(Command::from_raw(dqbuf.raw()), dqbuf);
    }

    #[test]
    fn a_direction_says_what_is_copied() {
        for (direction, raw, copied) in [
            (Direction::None, 0, (false, false)),
            (Direction::Write, 1, (true, false)),
            (Direction::Read, 2, (false, true)),
            (Direction::ReadWrite, 3, (true, true)),
        ] {
            let command = Command::new(direction, 0, 0, 0);
            assert_eq!((command.raw(), command.direction()), (raw << 30, direction));
            assert_eq!((direction.copies_in(), direction.copies_out()), copied, "{direction:?}");
        }
    }

    #[test]
    fn an_argument_is_bounded() {
        let mut data = [1, 2, 3, 4];
        let mut arg = IoctlArg::new(0, &mut data);
        assert_eq!(arg.read::<4>(), Ok([1, 2, 3, 4]));
        assert_eq!(arg.read::<5>(), Err(Errno::EFAULT));
        assert_eq!(arg.write(&[0; 5]), Err(Errno::EFAULT));
        assert_eq!(arg.write(&[9]), Ok(()));
        assert_eq!(data, [9, 2, 3, 4]);
    }
}
