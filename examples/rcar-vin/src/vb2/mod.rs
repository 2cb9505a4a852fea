//! The buffer queue: videobuf2 in small.
//!
//! A state machine and nothing else: it neither sleeps nor touches the device. The driver keeps it behind a
//! mutex, sleeps around it, and lends it to the interrupt handler. Buffers are of the `MMAP` kind, one plane
//! each, and lie one behind the other in the memory of the node. The answers are those of
//! `videobuf2-core.c` and `videobuf2-v4l2.c`.
//!
//! Its sides: the ioctls that make buffers (`buffers.rs`) and those that pass them on (`stream.rs`); the
//! device (`device.rs`), to which queued buffers go and from which they come back; and `read(2)`
//! (`fileio.rs`), which uses the queue as if it were a client.
//!
//! One open file owns the queue, from the request of buffers until it frees them or is released. To all
//! others it is busy.
//!
//! The hardware starts with the stream, however few buffers are queued: `min_queued_buffers` is 0. The driver writes
//! frames that have no buffer to a scratch buffer.

mod buffers;
mod device;
mod fileio;
mod stream;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use fops_runtime::{Errno, Result};

use crate::uapi::*;

pub use self::device::{Completion, Span};
pub use self::fileio::Chunk;

/// Buffers that `read(2)` uses: one is read, the other is filled.
const READ_BUFFERS: usize = 2;
/// Buffers that a queue has at most (`VB2_MAX_FRAME`).
pub const MAX_BUFFERS: usize = 32;

/// Buffers begin on a page, since they are mapped one by one.
const PAGE: u32 = 4096;

/// Where a buffer is (`enum vb2_buffer_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferState {
    /// With user space.
    Dequeued,
    /// Queued, waiting for the hardware.
    Queued,
    /// In a slot of the hardware.
    Active,
    /// Filled, waiting for user space.
    Done,
    /// Given back without a good picture, waiting for user space.
    Error,
}

/// What `poll(2)` makes of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing is set up: not streaming, and no buffers. To poll for reading now is to start reading.
    Idle,
    /// There is nothing to wait for: `POLLERR`.
    Error,
    /// A buffer can be dequeued without sleeping: `POLLIN | POLLRDNORM`.
    Readable,
    /// Not yet: no events.
    Waiting,
}

/// One buffer, as the queue keeps it.
struct Slot {
    state: BufferState,
    prepared: bool,
    mapped: bool,
    offset: u32,
    length: u32,
    completion: Completion,
}

/// The queue of one capture node.
pub struct Queue {
    memory_size: u64,
    /// Number of the open file that owns the queue.
    owner: Option<u64>,
    buffers: Vec<Slot>,
    queued: VecDeque<usize>,
    done: VecDeque<usize>,
    streaming: bool,
    /// Whether the hardware has been started (`start_streaming_called`).
    started: bool,
    /// Whether something happened that only a new start of the stream repairs (`vb2_queue_error`).
    error: Option<Errno>,
    /// Whether nothing has been queued since the stream was last off.
    waiting_for_buffers: bool,
    waiting_in_dqbuf: bool,
    fileio: Option<fileio::FileIo>,
}

/// What everybody may ask.
impl Queue {
    /// An empty queue whose buffers lie in node memory of `memory_size` bytes.
    pub fn new(memory_size: u64) -> Queue {
        Queue {
            // Offsets have 32 bits in `struct v4l2_buffer`.
            memory_size: memory_size.min(u64::from(u32::MAX)),
            owner: None,
            buffers: Vec::new(),
            queued: VecDeque::new(),
            done: VecDeque::new(),
            streaming: false,
            started: false,
            error: None,
            waiting_for_buffers: true,
            waiting_in_dqbuf: false,
            fileio: None,
        }
    }

    /// Whether there are buffers, so that the format must not change (`vb2_is_busy`).
    pub fn is_busy(&self) -> bool {
        !self.buffers.is_empty()
    }

    /// Whether user space has the stream on.
    pub fn is_streaming(&self) -> bool {
        self.streaming
    }

    /// Whether the hardware has been started; then the driver stops it before [`cancel`](Self::cancel).
    pub fn is_started(&self) -> bool {
        self.started
    }

    /// Whether the open file number `file` owns the queue.
    pub fn is_owner(&self, file: u64) -> bool {
        self.owner == Some(file)
    }

    /// What `poll(2)` answers (`vb2_core_poll`).
    pub fn readiness(&self) -> Readiness {
        if !self.streaming && self.fileio.is_none() && self.buffers.is_empty() {
            Readiness::Idle
        } else if !self.streaming || self.error.is_some() || (self.waiting_for_buffers && self.fileio.is_none()) {
            Readiness::Error
        } else if self.done.is_empty() {
            Readiness::Waiting
        } else {
            Readiness::Readable
        }
    }
}

/// What the ioctls have in common.
impl Queue {
    fn find(&self, buffer: &Buffer) -> Result<usize> {
        check_type(buffer.type_)?;
        let index = buffer.index as usize;
        if index < self.buffers.len() { Ok(index) } else { Err(Errno::EINVAL) }
    }

    fn check_owner(&self, file: u64) -> Result {
        // `vb2_queue_is_busy`
        if self.owner.is_some_and(|owner| owner != file) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    fn check_memory_type(&self, type_: u32, memory: u32) -> Result {
        check_type(type_)?;
        if memory != V4L2_MEMORY_MMAP {
            return Err(Errno::EINVAL);
        }
        if self.fileio.is_some() { Err(Errno::EBUSY) } else { Ok(()) }
    }

    fn describe(&self, index: usize) -> Buffer {
        let slot = &self.buffers[index];
        let state = match slot.state {
            BufferState::Dequeued if slot.prepared => V4L2_BUF_FLAG_PREPARED,
            BufferState::Dequeued => 0,
            BufferState::Queued | BufferState::Active => V4L2_BUF_FLAG_QUEUED,
            BufferState::Done => V4L2_BUF_FLAG_DONE,
            BufferState::Error => V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_ERROR,
        };
        let mapped = if slot.mapped { V4L2_BUF_FLAG_MAPPED } else { 0 };
        Buffer {
            index: index as u32,
            type_: V4L2_BUF_TYPE_VIDEO_CAPTURE,
            bytesused: slot.completion.bytesused,
            flags: state | mapped | V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
            field: slot.completion.field,
            timestamp: slot.completion.timestamp,
            sequence: slot.completion.sequence,
            memory: V4L2_MEMORY_MMAP,
            offset: slot.offset,
            length: slot.length,
        }
    }
}

impl Slot {
    /// Forgets the last picture, since the next is on its way (`__fill_vb2_buffer`).
    fn prepare(&mut self) {
        if !self.prepared {
            self.completion = Completion { field: self.completion.field, ..Completion::default() };
        }
        self.prepared = true;
    }

    fn dequeue(&mut self) {
        self.state = BufferState::Dequeued;
        self.prepared = false;
    }
}

fn check_type(type_: u32) -> Result {
    if type_ == V4L2_BUF_TYPE_VIDEO_CAPTURE { Ok(()) } else { Err(Errno::EINVAL) }
}
