//! User memory, as an operation sees it: bounded, and copied outside its section.
use crate::abi::{Errno, Result};

/// The memory of whoever called an operation, for hosts: see [`IoctlArg`](crate::IoctlArg).
pub trait UserMemory: Send + Sync {
    /// Fills `out` with what is at `address`. May sleep, as a wait of the section that it is called in.
    ///
    /// # Errors
    /// `EFAULT` when a part of it is not the caller's to read; `ENODEV` or `EINTR` when the sleep is ended.
    fn read(&self, address: u64, out: &mut [u8]) -> Result;

    /// Copies `data` to `address`. May sleep too. What lies before a bad address may have been written.
    ///
    /// # Errors
    /// `EFAULT` when a part of it is not the caller's to write; `ENODEV` or `EINTR` when the sleep is ended.
    fn write(&self, address: u64, data: &[u8]) -> Result;
}

/// The buffer of a `read(2)`, to be filled by the driver.
///
/// The host copies what was written to user memory after the section has closed.
#[derive(Debug)]
pub struct UserSliceWriter<'a> {
    buf: &'a mut [u8],
    written: &'a mut usize,
    position: u64,
}

impl<'a> UserSliceWriter<'a> {
    /// For hosts: `buf` is the whole buffer; `written` counts the bytes that the driver wrote.
    pub fn new(buf: &'a mut [u8], written: &'a mut usize, position: u64) -> Self {
        *written = 0;
        Self { buf, written, position }
    }

    /// The position in the file at which the read starts, in bytes (`ki_pos`).
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes there is still room for.
    pub fn remaining(&self) -> usize {
        self.buf.len() - *self.written
    }

    /// Appends as much of `data` as there is room for, and returns how much that was.
    ///
    /// # Errors
    /// `EFAULT` when there was no room at all for data that is not empty.
    pub fn write_slice(&mut self, data: &[u8]) -> Result<usize> {
        let n = data.len().min(self.remaining());
        if n == 0 && !data.is_empty() {
            return Err(Errno::EFAULT);
        }
        self.buf[*self.written..*self.written + n].copy_from_slice(&data[..n]);
        *self.written += n;
        Ok(n)
    }

    /// Lets `fill` write the next `len` bytes in place; less where there is less room. Returns how many.
    pub fn fill(&mut self, len: usize, fill: impl FnOnce(&mut [u8])) -> usize {
        let n = len.min(self.remaining());
        fill(&mut self.buf[*self.written..*self.written + n]);
        *self.written += n;
        n
    }
}

/// The data of a `write(2)`, copied from user memory before the section opened.
#[derive(Debug)]
pub struct UserSliceReader<'a> {
    data: &'a [u8],
    position: u64,
}

impl<'a> UserSliceReader<'a> {
    /// For hosts.
    pub const fn new(data: &'a [u8], position: u64) -> Self {
        Self { data, position }
    }

    /// The position in the file at which the write starts, in bytes (`ki_pos`).
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// How many bytes have not been taken yet.
    pub const fn remaining(&self) -> usize {
        self.data.len()
    }

    /// Takes the next `out.len()` bytes.
    ///
    /// # Errors
    /// `EFAULT` when fewer are left; nothing is taken then.
    pub fn read_slice(&mut self, out: &mut [u8]) -> Result {
        let (taken, rest) = self.data.split_at_checked(out.len()).ok_or(Errno::EFAULT)?;
        out.copy_from_slice(taken);
        self.data = rest;
        Ok(())
    }

    /// Takes all that is left.
    pub fn read_all(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_stops_at_the_end() {
        let (mut buf, mut written) = ([0u8; 4], 99);
        let mut writer = UserSliceWriter::new(&mut buf, &mut written, 7);
        assert_eq!((writer.position(), writer.remaining()), (7, 4));
        assert_eq!(writer.write_slice(&[1, 2, 3]), Ok(3));
        assert_eq!(writer.write_slice(&[4, 5]), Ok(1));
        assert_eq!(writer.write_slice(&[]), Ok(0));
        assert_eq!(writer.write_slice(&[6]), Err(Errno::EFAULT));
        assert_eq!(writer.fill(8, |rest| assert!(rest.is_empty())), 0);
        assert_eq!((buf, written), ([1, 2, 3, 4], 4));
    }

    #[test]
    fn a_reader_gives_all_or_nothing() {
        let mut reader = UserSliceReader::new(&[1, 2, 3], 0);
        let (mut two, mut four) = ([0; 2], [0; 4]);
        assert_eq!(reader.read_slice(&mut four), Err(Errno::EFAULT));
        assert_eq!(reader.read_slice(&mut two), Ok(()));
        assert_eq!((two, reader.remaining()), ([1, 2], 1));
        assert_eq!(reader.read_all(), [3]);
        assert_eq!(reader.remaining(), 0);
    }
}
