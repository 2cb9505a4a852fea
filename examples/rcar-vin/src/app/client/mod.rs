//! A V4L2 program: what a camera application does, on a real node or on one of this process.
mod file;
mod role;

pub use file::{Mapped, RealFile, VideoFile};
pub use role::{Fate, Last, Role};

use crate::uapi::ioctls::*;
use crate::uapi::*;
use fops_runtime::{Errno, PollEvents, Result};
use std::time::Duration;

/// A stream of frames in mapped buffers.
pub struct Stream<F: VideoFile> {
    file: F,
    format: Format,
    buffers: Vec<Box<dyn Mapped>>,
}

/// A frame, in the buffer `index` until that is queued again.
#[derive(Debug, Clone, Copy)]
pub struct Frame {
    /// Which buffer.
    pub index: u32,
    /// Its number since streaming began; a gap is a lost frame.
    pub sequence: u32,
    /// Its size, in bytes.
    pub bytesused: u32,
}

impl<F: VideoFile> Stream<F> {
    /// Asks for `count` buffers, maps and queues them, and turns the stream on.
    ///
    /// # Errors
    /// The driver's.
    pub fn start(file: F, count: u32) -> Result<Self> {
        let capability: v4l2_capability = get(&file, VIDIOC_QUERYCAP, zeroed())?;
        if capability.device_caps & V4L2_CAP_STREAMING == 0 {
            return Err(Errno::EINVAL);
        }
        let format = get(&file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() })?;
        let request =
            v4l2_requestbuffers { count, type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() };
        let granted = get(&file, VIDIOC_REQBUFS, request)?.count;
        let mut stream = Self { file, format, buffers: Vec::new() };
        for index in 0..granted {
            let buffer = get(&stream.file, VIDIOC_QUERYBUF, buffer(index))?;
            stream.buffers.push(stream.file.map(buffer.offset.into(), buffer.length.into())?);
            stream.queue(index)?;
        }
        get(&stream.file, VIDIOC_STREAMON, V4L2_BUF_TYPE_VIDEO_CAPTURE)?;
        Ok(stream)
    }

    /// The format that the frames have.
    pub const fn format(&self) -> &PixFormat {
        &self.format.pix
    }

    /// The file that it streams from.
    pub const fn file(&self) -> &F {
        &self.file
    }

    /// Waits for the next frame, in `VIDIOC_DQBUF`.
    ///
    /// # Errors
    /// `ENODEV` once the device is gone.
    pub fn dequeue(&self) -> Result<Frame> {
        let Buffer { index, sequence, bytesused, .. } = get(&self.file, VIDIOC_DQBUF, buffer(0))?;
        Ok(Frame { index, sequence, bytesused })
    }

    /// Waits for the next frame in `poll(2)`, and for at most `timeout`.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn poll(&self, timeout: Option<Duration>) -> Result<PollEvents> {
        self.file.poll(PollEvents::IN, timeout)
    }

    /// Gives a buffer back to the driver.
    ///
    /// # Errors
    /// `ENODEV` once the device is gone.
    pub fn queue(&self, index: u32) -> Result {
        get(&self.file, VIDIOC_QBUF, buffer(index)).map(drop)
    }

    /// A copy of the frame's picture.
    ///
    /// # Errors
    /// `EFAULT` for a frame of another stream.
    pub fn picture(&self, frame: &Frame) -> Result<Vec<u8>> {
        let buffer = self.buffers.get(frame.index as usize).ok_or(Errno::EFAULT)?;
        let mut picture = vec![0; frame.bytesused as usize];
        buffer.read_at(0, &mut picture)?;
        Ok(picture)
    }

    /// Turns the stream off.
    ///
    /// # Errors
    /// `ENODEV` once the device is gone.
    pub fn stop(self) -> Result {
        get(&self.file, VIDIOC_STREAMOFF, V4L2_BUF_TYPE_VIDEO_CAPTURE).map(drop)
    }
}

fn buffer(index: u32) -> Buffer {
    Buffer { index, type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() }
}

/// Runs an ioctl on `argument`, and returns what it has become.
///
/// # Errors
/// The driver's.
pub fn get<T: Uapi>(file: &impl VideoFile, command: fops_runtime::Command, argument: T) -> Result<T> {
    let mut data = vec![0; T::SIZE];
    store(&argument, &mut data).ok_or(Errno::EFAULT)?;
    file.ioctl(command, &mut data)?;
    load(&data).ok_or(Errno::EFAULT)
}
