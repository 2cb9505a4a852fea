//! The stream: `VIDIOC_QBUF`, `VIDIOC_DQBUF`, `VIDIOC_STREAMON`, and their like.

use fops_runtime::{Errno, Result};

use super::{BufferState, Queue, Slot, check_type};
use crate::uapi::{Buffer, V4L2_BUF_FLAG_DONE, V4L2_BUF_FLAG_REQUEST_FD, V4L2_MEMORY_MMAP};

impl Queue {
    /// `VIDIOC_PREPARE_BUF`.
    ///
    /// # Errors
    /// As [`qbuf`](Self::qbuf).
    pub fn prepare_buf(&mut self, file: u64, buffer: &mut Buffer, sizeimage: u32) -> Result {
        let index = self.queueable(file, buffer, sizeimage)?;
        if self.buffers[index].prepared {
            return Err(Errno::EINVAL);
        }
        self.buffers[index].prepare();
        *buffer = self.describe(index);
        Ok(())
    }

    /// `VIDIOC_QBUF`.
    ///
    /// # Errors
    /// `EBUSY` while reading, or owned by another file; `EINVAL` for another type or memory, for no such
    /// buffer, for one that is not with user space or too small; `EBADR` for a request; what [`set_error`](Self::set_error)
    /// said.
    pub fn qbuf(&mut self, file: u64, buffer: &mut Buffer, sizeimage: u32) -> Result {
        let index = self.queueable(file, buffer, sizeimage)?;
        if let Some(errno) = self.error {
            return Err(errno);
        }
        self.enqueue(index);
        *buffer = self.describe(index);
        Ok(())
    }

    /// `VIDIOC_DQBUF`: a buffer, or [`None`] where the caller is to sleep (or to answer `EAGAIN`).
    ///
    /// Serves as the condition of the sleep: `wait_event_locked(.., |queue| queue.dqbuf(..).transpose())`.
    ///
    /// # Errors
    /// `EBUSY` while reading, or owned by another file; `EINVAL` for another type, or when the stream is off;
    /// what [`set_error`](Self::set_error) said.
    pub fn dqbuf(&mut self, file: u64, type_: u32) -> Result<Option<Buffer>> {
        self.check_stream(file, type_)?;
        let Some(index) = self.take_done()? else { return Ok(None) };
        let mut buffer = self.describe(index);
        buffer.flags &= !V4L2_BUF_FLAG_DONE;
        self.buffers[index].dequeue();
        Ok(Some(buffer))
    }

    /// A sleep in `VIDIOC_DQBUF` begins; until [`end_wait`](Self::end_wait), which is called however it ends.
    ///
    /// # Errors
    /// `EBUSY` while another thread sleeps there ("another dup()ped fd is waiting for a buffer").
    pub fn begin_wait(&mut self) -> Result {
        if std::mem::replace(&mut self.waiting_in_dqbuf, true) { Err(Errno::EBUSY) } else { Ok(()) }
    }

    /// The sleep of [`begin_wait`](Self::begin_wait) has ended.
    pub fn end_wait(&mut self) {
        self.waiting_in_dqbuf = false;
    }

    /// `VIDIOC_STREAMON`. Runs `start`, unless the stream is on.
    ///
    /// # Errors
    /// `EBUSY` while reading, or owned by another file; `EINVAL` for another type, or without buffers; and what `start` says.
    pub fn streamon(&mut self, file: u64, type_: u32, start: impl FnOnce(&mut Queue) -> Result) -> Result {
        self.check_stream(file, type_)?;
        if self.streaming {
            return Ok(());
        }
        if self.buffers.is_empty() {
            return Err(Errno::EINVAL);
        }
        self.start(start)
    }

    /// Whether this file may `VIDIOC_STREAMOFF`. Then the driver stops the hardware if it
    /// [is started](Self::is_started), calls [`cancel`](Self::cancel), and wakes those who sleep.
    ///
    /// # Errors
    /// `EBUSY` while reading, or owned by another file; `EINVAL` for another type.
    pub fn check_stream(&self, file: u64, type_: u32) -> Result {
        self.check_owner(file)?;
        if self.fileio.is_some() {
            return Err(Errno::EBUSY);
        }
        check_type(type_)
    }

    /// Ends the stream: every buffer is with user space again (`__vb2_queue_cancel`).
    ///
    /// The hardware must be stopped: it loses its buffers.
    pub fn cancel(&mut self) {
        self.buffers.iter_mut().for_each(Slot::dequeue);
        self.queued.clear();
        self.done.clear();
        self.streaming = false;
        self.started = false;
        self.error = None;
        self.waiting_for_buffers = true;
        self.fileio = None;
    }

    /// `VIDIOC_QBUF` and `VIDIOC_PREPARE_BUF` in common.
    fn queueable(&self, file: u64, buffer: &Buffer, sizeimage: u32) -> Result<usize> {
        self.check_owner(file)?;
        if self.fileio.is_some() {
            return Err(Errno::EBUSY);
        }
        let index = self.find(buffer)?;
        if buffer.memory != V4L2_MEMORY_MMAP {
            return Err(Errno::EINVAL);
        }
        if buffer.flags & V4L2_BUF_FLAG_REQUEST_FD != 0 {
            return Err(Errno::EBADR);
        }
        let slot = &self.buffers[index];
        if slot.state != BufferState::Dequeued || slot.length < sizeimage {
            return Err(Errno::EINVAL);
        }
        Ok(index)
    }

    pub(super) fn enqueue(&mut self, index: usize) {
        self.buffers[index].prepare();
        self.buffers[index].state = BufferState::Queued;
        self.queued.push_back(index);
        self.waiting_for_buffers = false;
    }

    /// Takes the next buffer that the device has given back; [`None`] to sleep.
    pub(super) fn take_done(&mut self) -> Result<Option<usize>> {
        if !self.streaming {
            return Err(Errno::EINVAL);
        }
        if let Some(errno) = self.error {
            return Err(errno);
        }
        Ok(self.done.pop_front())
    }

    pub(super) fn start(&mut self, start: impl FnOnce(&mut Queue) -> Result) -> Result {
        (self.streaming, self.started) = (true, true);
        start(self).inspect_err(|_| self.start_failed())
    }
}
