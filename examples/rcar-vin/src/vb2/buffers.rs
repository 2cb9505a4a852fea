//! Buffers come and go: `VIDIOC_REQBUFS`, `VIDIOC_CREATE_BUFS`, `mmap(2)`, and the release of a file.

use fops_runtime::{Errno, Result};

use super::{BufferState, Completion, MAX_BUFFERS, PAGE, Queue, Slot};
use crate::uapi::{
    Buffer, CreateBuffers, V4L2_BUF_CAP_SUPPORTS_MMAP, V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS, v4l2_requestbuffers, zeroed,
};

/// What the queue can do. Orphaned buffers: they may be freed while they are mapped, since the memory of the
/// node outlives them; what is mapped then shows whatever comes to lie there.
pub(super) const CAPABILITIES: u32 = V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS;

impl Queue {
    /// `VIDIOC_REQBUFS`, for pictures of `sizeimage` bytes.
    ///
    /// # Errors
    /// `EINVAL` for another type or memory; `EBUSY` while streaming or reading, or owned by another file;
    /// `ENOMEM` where not one fits. Buffers that there were are gone then.
    pub fn reqbufs(&mut self, file: u64, request: &mut v4l2_requestbuffers, sizeimage: u32) -> Result {
        self.check_memory_type(request.type_, request.memory)?;
        self.check_owner(file)?;
        if self.streaming || (self.waiting_in_dqbuf && request.count != 0) {
            return Err(Errno::EBUSY);
        }
        let count = request.count as usize;
        *request = v4l2_requestbuffers {
            type_: request.type_,
            memory: request.memory,
            capabilities: CAPABILITIES,
            ..zeroed()
        };
        self.cancel();
        self.buffers.clear();
        self.owner = None;
        if count != 0 {
            request.count = self.allocate(count.min(MAX_BUFFERS), sizeimage)? as u32;
            self.owner = Some(file);
        }
        Ok(())
    }

    /// `VIDIOC_CREATE_BUFS`: more buffers, of the size in the request, which is at least `sizeimage`.
    ///
    /// # Errors
    /// `EINVAL` for another type or memory, or a size too small; `EBUSY` while reading, or owned by another
    /// file; `ENOBUFS` when there are [`MAX_BUFFERS`]; `ENOMEM` when not one fits.
    pub fn create_bufs(&mut self, file: u64, request: &mut CreateBuffers, sizeimage: u32) -> Result {
        let allowed = self.check_memory_type(request.format.type_, request.memory);
        request.index = self.buffers.len() as u32;
        request.capabilities = CAPABILITIES;
        request.flags = 0;
        if request.count == 0 {
            // "just check if memory and type are valid"
            return if allowed == Err(Errno::EBUSY) { Ok(()) } else { allowed };
        }
        allowed?;
        self.check_owner(file)?;
        if self.buffers.len() == MAX_BUFFERS {
            const ENOBUFS: Errno = Errno::from_raw(105);
            return Err(ENOBUFS);
        }
        let size = request.format.pix.sizeimage;
        if size == 0 || size < sizeimage {
            return Err(Errno::EINVAL);
        }
        if self.buffers.is_empty() && self.waiting_in_dqbuf {
            return Err(Errno::EBUSY);
        }
        let room = MAX_BUFFERS - self.buffers.len();
        request.count = self.allocate(room.min(request.count as usize), size)? as u32;
        self.owner = Some(file);
        Ok(())
    }

    /// `VIDIOC_QUERYBUF`.
    ///
    /// # Errors
    /// `EINVAL` for another type, or where there is no such buffer.
    pub fn querybuf(&self, buffer: &mut Buffer) -> Result {
        let index = self.find(buffer)?;
        *buffer = self.describe(index);
        Ok(())
    }

    /// `mmap(2)` of `length` bytes at `offset`; returns the index of the buffer, which is mapped from now on.
    ///
    /// # Errors
    /// `EINVAL` where no buffer begins, or beyond its last page.
    pub fn mmap(&mut self, offset: u64, length: u64) -> Result<usize> {
        let here = |slot: &&mut Slot| u64::from(slot.offset) == offset;
        let (index, slot) = self.buffers.iter_mut().enumerate().find(|(_, slot)| here(slot)).ok_or(Errno::EINVAL)?;
        if length > u64::from(slot.length).next_multiple_of(PAGE.into()) {
            return Err(Errno::EINVAL);
        }
        slot.mapped = true;
        Ok(index)
    }

    /// The release of an open file: if it owns the queue, the stream ends and the buffers go. Whether it did.
    ///
    /// The driver has stopped the hardware before, where there still is any.
    pub fn release(&mut self, file: u64) -> bool {
        let owned = self.is_owner(file);
        if owned {
            self.cancel();
            self.buffers.clear();
            self.owner = None;
        }
        owned
    }

    /// Appends as many of `count` buffers as fit, and returns how many; `ENOMEM` for none.
    pub(super) fn allocate(&mut self, count: usize, size: u32) -> Result<usize> {
        let before = self.buffers.len();
        let mut offset = self.buffers.last().map_or(0, |last| last.offset + last.length.next_multiple_of(PAGE));
        for _ in 0..count {
            let Some(end) = size.checked_next_multiple_of(PAGE).and_then(|span| offset.checked_add(span)) else {
                break;
            };
            if size == 0 || u64::from(end) > self.memory_size {
                break;
            }
            self.buffers.push(Slot {
                state: BufferState::Dequeued,
                prepared: false,
                mapped: false,
                offset,
                length: size,
                completion: Completion::default(),
            });
            offset = end;
        }
        match self.buffers.len() - before {
            0 => Err(Errno::ENOMEM),
            made => Ok(made),
        }
    }
}
