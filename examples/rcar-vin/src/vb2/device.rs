//! The device's side of the queue: buffers on their way to the hardware and back.

use fops_runtime::{Errno, Result};

use super::{BufferState, Queue};
use crate::uapi::{Timestamp, V4L2_FIELD_NONE};

/// What came back with a buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// Number of the frame since streaming began.
    pub sequence: u32,
    /// When the frame was complete.
    pub timestamp: Timestamp,
    /// `V4L2_FIELD_…`.
    pub field: u32,
    /// Bytes of the picture.
    pub bytesused: u32,
}

impl Completion {
    /// A whole progressive frame.
    pub fn frame(sequence: u32, timestamp: Timestamp, bytesused: u32) -> Completion {
        Completion { sequence, timestamp, field: V4L2_FIELD_NONE, bytesused }
    }
}

/// Where a buffer lies in the memory of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the start of the memory, in bytes; page aligned.
    pub offset: u64,
    /// In bytes.
    pub length: u64,
}

impl Queue {
    /// Takes the next queued buffer for a slot of the hardware, and returns its index.
    pub fn next_active(&mut self) -> Option<usize> {
        let index = self.queued.pop_front()?;
        self.buffers[index].state = BufferState::Active;
        Some(index)
    }

    /// The hardware has filled buffer `index`, which is user space's from now on. Wake the sleepers.
    ///
    /// A buffer that is not [active](BufferState::Active), because the stream has ended meanwhile, stays as it is.
    pub fn buffer_done(&mut self, index: usize, completion: Completion) {
        self.give_back(index, BufferState::Done, completion);
    }

    /// The hardware gives buffer `index` back without a good picture. Wake the sleepers.
    ///
    /// As [`buffer_done`](Self::buffer_done) otherwise.
    pub fn buffer_error(&mut self, index: usize, completion: Completion) {
        self.give_back(index, BufferState::Error, completion);
    }

    /// Nothing works any more until the stream is started anew (`vb2_queue_error`): sleepers get `errno`, which is `EIO`
    /// for hardware that has failed. Wake them.
    pub fn set_error(&mut self, errno: Errno) {
        self.error = Some(errno);
    }

    /// State of buffer `index`, if there is one.
    pub fn state(&self, index: usize) -> Option<BufferState> {
        self.buffers.get(index).map(|slot| slot.state)
    }

    /// Where buffer `index` lies.
    ///
    /// # Errors
    /// `EINVAL` where there is none.
    pub fn span(&self, index: usize) -> Result<Span> {
        let slot = self.buffers.get(index).ok_or(Errno::EINVAL)?;
        Ok(Span { offset: slot.offset.into(), length: slot.length.into() })
    }

    /// Buffers that wait for the hardware.
    pub fn queued_count(&self) -> usize {
        self.queued.len()
    }

    /// Number of buffers.
    pub fn len(&self) -> usize {
        self.buffers.len()
    }

    /// Whether there are no buffers.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty()
    }

    /// The hardware did not start: what it had taken is queued again.
    pub(super) fn start_failed(&mut self) {
        (self.streaming, self.started) = (false, false);
        self.take_back();
    }

    /// The hardware is stopped and will be started again: what it had taken is queued again, before the rest.
    pub fn take_back(&mut self) {
        let taken: Vec<_> =
            (0..self.buffers.len()).filter(|&index| self.buffers[index].state == BufferState::Active).collect();
        for index in taken.into_iter().rev() {
            self.buffers[index].state = BufferState::Queued;
            self.queued.push_front(index);
        }
    }

    fn give_back(&mut self, index: usize, state: BufferState, completion: Completion) {
        match self.buffers.get_mut(index) {
            Some(slot) if slot.state == BufferState::Active => {
                slot.state = state;
                slot.completion = completion;
                self.done.push_back(index);
            }
            _ => tracing::warn!(index, "a buffer came back that the hardware did not have"),
        }
    }
}
