//! The stream, as the ioctls and `read(2)` turn it on and off, and sleep for its buffers. After `rvin_start_streaming` in
//! `rcar-dma.c` and the `vb2_ioctl_*` of `videobuf2-v4l2.c`.
use super::Open;
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::dma::{Capture, Dma, select_channel};
use crate::driver::v4l2::Settings;
use crate::uapi::*;
use crate::vb2::Queue;
use fops_runtime::{Access, Errno, File, Result};

impl RcarVin {
    pub(super) fn qbuf(&self, file: &File<Open>, buffer: &mut Buffer) -> Result {
        let settings = self.settings.lock();
        self.capture.lock().queue.qbuf(file.id(), buffer, settings.sizeimage())
    }

    /// Sleeps until a buffer is done. No lock is held meanwhile.
    pub(super) fn dqbuf(&self, hw: &Access<'_, VinHw>, file: &File<Open>, buffer: &mut Buffer) -> Result {
        let type_ = buffer.type_;
        let dequeue = |capture: &mut Capture| capture.queue.dqbuf(file.id(), type_).transpose();
        let mut capture = self.capture.lock();
        *buffer = match dequeue(&mut capture) {
            Some(result) => result?,
            None if file.is_nonblocking() => return Err(Errno::EAGAIN),
            None => {
                capture.queue.begin_wait()?;
                let woken = hw.wait_event_locked(&self.done, &mut capture, dequeue);
                capture.queue.end_wait();
                woken??
            }
        };
        drop(capture);
        // The picture is the client's to see from here on; no lock is held, since a host may sleep here.
        let start = u64::from(buffer.offset);
        self.memory.publish(start..start + u64::from(buffer.bytesused));
        Ok(())
    }

    pub(super) fn streamon(&self, hw: &Access<'_, VinHw>, file: &File<Open>, type_: u32) -> Result {
        self.finish_streamoff(hw, file, type_)?;
        let settings = self.settings.lock();
        settings.check_priority(file)?;
        let Capture { queue, dma } = &mut *self.capture.lock();
        queue.streamon(file.id(), type_, |queue| self.start_streaming(hw, dma, queue, &settings))
    }

    /// Sleeps until the hardware has stopped. No lock is held meanwhile.
    pub(super) fn streamoff(&self, hw: &Access<'_, VinHw>, file: &File<Open>, type_: u32) -> Result {
        self.settings.lock().check_priority(file)?;
        let mut capture = self.capture.lock();
        capture.queue.check_stream(file.id(), type_)?;
        let started = capture.queue.is_started();
        self.stop_streaming(hw, &mut capture)?;
        drop(capture);
        self.done.wake_all();
        // What is gone has stopped, too.
        if started { self.check_there(hw) } else { Ok(()) }
    }

    /// A STREAMOFF that still waits, or that a signal has ended, comes before the next STREAMON.
    fn finish_streamoff(&self, hw: &Access<'_, VinHw>, file: &File<Open>, type_: u32) -> Result {
        let mut capture = self.capture.lock();
        // To somebody else the queue is busy, however long that takes.
        capture.queue.check_stream(file.id(), type_)?;
        if capture.dma.is_stopping() {
            self.stop_streaming(hw, &mut capture)?;
            drop(capture);
            self.done.wake_all();
        }
        Ok(())
    }

    /// Streams for `read(2)`, unless this file does already.
    pub(super) fn start_reading(&self, hw: &Access<'_, VinHw>, file: u64) -> Result {
        let settings = self.settings.lock();
        let Capture { queue, dma } = &mut *self.capture.lock();
        queue.start_reading(file, settings.sizeimage(), |queue| self.start_streaming(hw, dma, queue, &settings))
    }

    pub(crate) fn start_streaming(
        &self,
        hw: &Access<'_, VinHw>,
        dma: &mut Dma,
        queue: &mut Queue,
        settings: &Settings,
    ) -> Result {
        self.check_there(hw)?;
        // What is linked to this VIN.
        let channel = self.routes.get(self.channel).ok_or(Errno::EPIPE)?;
        self.controls.lock().setup(hw)?;
        select_channel(hw, channel);
        dma.start(hw, queue, settings)
    }
}
