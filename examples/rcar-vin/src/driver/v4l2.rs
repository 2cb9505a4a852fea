//! The file operations of the video node. After `rcar-v4l2.c` and `v4l2-dev.c`.
//!
//! This is what `#[guarded_fops]` is written on. No method below touches [`VinHw`] but through its access.
mod format;
mod ioctl;
mod selection;
mod stream;

pub(crate) use format::Settings;

use crate::driver::core::{RcarVin, VinHw};
use crate::driver::events::Listener;
use crate::uapi::V4L2_PRIORITY_DEFAULT;
use crate::uapi::ioctls::command_name;
use crate::vb2::Readiness;
use fops_runtime::{
    Access, Command, Errno, File, FileOperations, IoctlArg, PollEvents, PollTable, Result, UserSliceWriter, VmArea,
    guarded_fops,
};
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// What the driver keeps for one open file: `struct v4l2_fh`.
pub struct Open {
    priority: AtomicU32,
    /// What it has subscribed to.
    listener: Arc<Listener>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl FileOperations for RcarVin {
    type Open = Open;

    #[fop(brief)]
    fn open(&self, file: &File) -> Result<Open> {
        self.settings.lock().add_file();
        Ok(Open { priority: AtomicU32::new(V4L2_PRIORITY_DEFAULT), listener: self.listeners.open(file.id()) })
    }

    /// Runs after unplug too: then the hardware was stopped by `quiesce`, and only the buffers are left to free.
    fn release(&self, #[access] hw: Option<&Access<'_, VinHw>>, file: File<Open>) {
        // Whoever opens next finds the queue free: over FUSE, close(2) does not wait for this.
        let mut settings = self.settings.lock();
        let mut capture = self.capture.lock();
        if let (Some(hw), true, true) = (hw, capture.queue.is_owner(file.id()), capture.queue.is_started()) {
            self.stop_now(hw, &mut capture);
        }
        capture.queue.release(file.id());
        drop(capture);
        settings.remove_file(&file);
        drop(settings);
        self.listeners.close(file.id());
        self.done.wake_all();
    }

    #[fop(sleeps)]
    fn read(&self, #[access] hw: &Access<'_, VinHw>, file: &File<Open>, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        self.start_reading(hw, file.id())?;
        let mut capture = self.capture.lock();
        let chunk = match capture.queue.read(file.id(), buf.remaining())? {
            Some(chunk) => chunk,
            None if file.is_nonblocking() => return Err(Errno::EAGAIN),
            None => {
                let room = buf.remaining();
                hw.wait_event_locked(&self.done, &mut capture, |c| c.queue.read(file.id(), room).transpose())??
            }
        };
        let mut copied = Ok(());
        let n = buf.fill(chunk.length, |bytes| copied = self.memory.read_at(chunk.offset, bytes));
        copied?;
        capture.queue.has_read(n);
        Ok(n)
    }

    fn poll(&self, #[access] hw: &Access<'_, VinHw>, file: &File<Open>, table: &PollTable<'_>) -> PollEvents {
        // Before the state is looked at: what changes from here on wakes the caller.
        let listener = &file.state().listener;
        table.wait(&listener.wait);
        table.wait(&self.done);
        let events = if listener.is_pending() { PollEvents::PRI } else { PollEvents::EMPTY };
        // Who waits for events alone is not told of buffers (vb2_core_poll).
        if !table.requested().intersects(PollEvents::IN | PollEvents::RDNORM) {
            return events;
        }
        let mut readiness = self.capture.lock().queue.readiness();
        if readiness == Readiness::Idle {
            // To poll for reading is to start reading.
            if self.start_reading(hw, file.id()).is_err() {
                return events | PollEvents::ERR;
            }
            readiness = self.capture.lock().queue.readiness();
        }
        events
            | match readiness {
                Readiness::Readable => PollEvents::IN | PollEvents::RDNORM,
                Readiness::Waiting => PollEvents::EMPTY,
                Readiness::Idle | Readiness::Error => PollEvents::ERR,
            }
    }

    /// Sleeps in `VIDIOC_DQBUF`, `VIDIOC_DQEVENT` and, for the end of a frame, `VIDIOC_STREAMOFF`.
    #[fop(sleeps)]
    fn ioctl(
        &self,
        #[access] hw: &Access<'_, VinHw>,
        file: &File<Open>,
        command: Command,
        mut arg: IoctlArg<'_>,
    ) -> Result<i32> {
        let mut result = self.video_ioctl2(hw, file, command, &mut arg);
        if result == Err(Errno::ENXIO) {
            // The sensor does not answer. Perhaps nothing does.
            result = self.check_there(hw).and(result);
        }
        if let Err(errno) = result {
            tracing::debug!("{}: {}: {errno:?}", self.device.name(), command_name(command).unwrap_or("unknown ioctl"));
        }
        result.map(|()| 0)
    }

    #[fop(brief)]
    fn mmap(&self, _file: &File<Open>, area: &VmArea) -> Result {
        self.capture.lock().queue.mmap(area.offset, area.len).map(|_| ())
    }
}

#[cfg(test)]
mod tests;
