//! `read(2)`, as vb2 emulates it: the queue streams by itself, and reading dequeues and queues again.

use fops_runtime::{Errno, Result};

use super::{BufferState, Queue, READ_BUFFERS};

/// A stream that `read(2)` has started.
#[derive(Default)]
pub(super) struct FileIo {
    /// The buffer that is being read, and how far.
    current: Option<(usize, u32)>,
}

/// A part of a picture, to be copied to the reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it lies in the memory of the node.
    pub offset: u64,
    /// Its length, in bytes.
    pub length: usize,
}

impl Queue {
    /// Whether a reader has the queue.
    pub fn is_reading(&self) -> bool {
        self.fileio.is_some()
    }

    /// Starts reading (`__vb2_init_fileio`), unless this file reads already: makes buffers for pictures of
    /// `sizeimage` bytes, queues them all, turns the stream on, and runs `start`.
    ///
    /// # Errors
    /// `EBUSY` where there are buffers already, or another file owns the queue; `ENOMEM`; what `start` says.
    pub fn start_reading(&mut self, file: u64, sizeimage: u32, start: impl FnOnce(&mut Queue) -> Result) -> Result {
        self.check_owner(file)?;
        if self.fileio.is_some() {
            return Ok(());
        }
        if self.streaming || !self.buffers.is_empty() {
            return Err(Errno::EBUSY);
        }
        let started = self.allocate(READ_BUFFERS, sizeimage).and_then(|made| {
            if made < READ_BUFFERS {
                return Err(Errno::ENOMEM);
            }
            (0..made).for_each(|index| self.enqueue(index));
            self.start(start)
        });
        if started.is_err() {
            self.cancel();
            self.buffers.clear();
        } else {
            self.owner = Some(file);
            self.fileio = Some(FileIo::default());
        }
        started
    }

    /// The next part of the picture, at most `room` bytes, or [`None`] where the caller is to sleep (or to
    /// answer `EAGAIN`). It is copied before the queue is unlocked, and then [`has_read`](Self::has_read).
    ///
    /// # Errors
    /// `EBUSY` where another file owns the queue; `EINVAL` where nobody reads; what [`set_error`](Self::set_error) said.
    pub fn read(&mut self, file: u64, room: usize) -> Result<Option<Chunk>> {
        self.check_owner(file)?;
        let current = self.fileio.as_ref().ok_or(Errno::EINVAL)?.current;
        let (index, position) = match current {
            Some(current) => current,
            None => loop {
                let Some(index) = self.take_done()? else { return Ok(None) };
                let failed = self.buffers[index].state == BufferState::Error;
                self.buffers[index].dequeue();
                if !failed {
                    break (index, 0);
                }
                self.enqueue(index);
            },
        };
        self.fileio = Some(FileIo { current: Some((index, position)) });
        let slot = &self.buffers[index];
        let left = slot.completion.bytesused.saturating_sub(position) as usize;
        Ok(Some(Chunk { offset: u64::from(slot.offset) + u64::from(position), length: left.min(room) }))
    }

    /// The reader has got `length` bytes of the last [`Chunk`]. A buffer that is read to its end is queued again.
    pub fn has_read(&mut self, length: usize) {
        let Some((index, position)) = self.fileio.as_mut().and_then(|fileio| fileio.current.take()) else { return };
        let position = position.saturating_add(u32::try_from(length).unwrap_or(u32::MAX));
        if position >= self.buffers[index].completion.bytesused {
            self.enqueue(index);
        } else {
            self.fileio = Some(FileIo { current: Some((index, position)) });
        }
    }
}
