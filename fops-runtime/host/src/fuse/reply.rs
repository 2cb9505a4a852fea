//! Replies: the header, and what follows it, in a buffer that its worker keeps.
use super::abi::fuse_out_header;
use super::pages::Pages;
use fops_runtime::{Errno, Result};
use zerocopy::{Immutable, IntoBytes};

const HEADER: usize = size_of::<fuse_out_header>();

/// What a reply takes from the heap at most, in bytes. More is mapped, and given back with the next request.
const SMALL: usize = 16 << 10;

/// A reply that is being made.
///
/// The kernel copies it to user memory when it is sent: after the operation, outside its section.
pub(super) struct Reply {
    /// The reply is the first `len` bytes; what is beyond is left from earlier ones.
    bytes: Vec<u8>,
    /// The same for one that is large: a read that sleeps has touched none of it.
    large: Option<Pages>,
    len: usize,
}

impl Reply {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; 256], large: None, len: HEADER }
    }

    /// Forgets what was put.
    pub(super) fn clear(&mut self) {
        self.large = None;
        self.len = HEADER;
    }

    /// How much memory it has taken, in bytes.
    #[cfg(any(test, fuzzing))]
    pub(super) fn capacity(&self) -> usize {
        self.large.as_ref().map_or(self.bytes.capacity(), |large| large.len())
    }

    /// How much was put, in bytes.
    pub(super) const fn len(&self) -> usize {
        self.len - HEADER
    }

    /// Appends a structure.
    pub(super) fn put(&mut self, value: &(impl IntoBytes + Immutable)) {
        self.extend(value.as_bytes());
    }

    /// Appends bytes, to a reply that has no [`room`](Self::room) for many.
    pub(super) fn extend(&mut self, bytes: &[u8]) {
        debug_assert!(self.large.is_none());
        self.small_room(bytes.len()).copy_from_slice(bytes);
        self.took(bytes.len());
    }

    /// Room for all of the reply, `len` bytes, with whatever is in it; what is used of it is [`took`](Self::took).
    ///
    /// # Errors
    /// `ENOMEM`.
    pub(super) fn room(&mut self, len: usize) -> Result<&mut [u8]> {
        self.clear();
        if len <= SMALL {
            return Ok(self.small_room(len));
        }
        let large = self.large.insert(Pages::new(HEADER + len)?);
        Ok(&mut large[HEADER..])
    }

    fn small_room(&mut self, len: usize) -> &mut [u8] {
        let end = self.len + len;
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        &mut self.bytes[self.len..end]
    }

    /// The first `len` bytes of the room are part of the reply.
    pub(super) fn took(&mut self, len: usize) {
        self.len += len;
    }

    /// The bytes to send: what was put, or the error alone.
    pub(super) fn finish(&mut self, unique: u64, result: Result<()>) -> &[u8] {
        if result.is_err() {
            self.clear();
        }
        let error = result.err().map_or(0, |errno| -known(errno));
        let header = fuse_out_header { len: self.len as u32, error, unique };
        let bytes = self.large.as_deref_mut().unwrap_or(&mut self.bytes);
        bytes[..HEADER].copy_from_slice(header.as_bytes());
        &bytes[..self.len]
    }
}

/// A reply that is an error and nothing else.
pub(super) fn error(unique: u64, errno: Errno) -> [u8; HEADER] {
    let header = fuse_out_header { len: HEADER as u32, error: -known(errno), unique };
    let mut bytes = [0; HEADER];
    bytes.copy_from_slice(header.as_bytes());
    bytes
}

/// The number as user space may see it. The kernel refuses a reply with another, and its caller would wait for ever.
fn known(errno: Errno) -> i32 {
    match errno.raw() {
        number @ ..=511 => number,
        // ERESTARTSYS and its kin: a signal came.
        512..=516 => Errno::EINTR.raw(),
        _ => Errno::EIO.raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromBytes;

    #[test]
    fn an_error_carries_nothing_else() {
        let mut reply = Reply::new();
        for room in [10_000, 100_000] {
            reply.room(room).unwrap()[..3].copy_from_slice(b"abc");
            reply.took(3);
            assert_eq!(reply.len(), 3);
            assert_eq!(&reply.finish(1, Ok(()))[HEADER..], b"abc");
        }
        let bytes = reply.finish(9, Err(Errno::ENODEV));
        let (header, rest) = fuse_out_header::read_from_prefix(bytes).unwrap_or_else(|_| panic!("no header"));
        assert_eq!((header.len, header.error, header.unique, rest.len()), (16, -19, 9, 0));
    }
}
