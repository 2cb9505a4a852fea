//! What clients do while their device is unplugged, and what becomes of them.
use super::{Stream, VideoFile, get};
use crate::ioctls::VIDIOC_G_FMT;
use crate::uapi::{Format, V4L2_BUF_TYPE_VIDEO_CAPTURE, zeroed};
use fops_runtime::{Errno, PollEvents, Result};
use std::fmt;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Streams frames in mapped buffers.
    Stream,
    /// Sleeps in `VIDIOC_DQBUF`: its sensor delivers nothing.
    Sleep,
    /// Sleeps in `poll(2)` on somebody else's stream.
    Poll,
    /// Reads frames with `read(2)`.
    Read,
    /// Holds a file open, and uses it once more when the device is gone.
    Hold,
}

/// How a client ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Frames that it got.
    pub frames: u32,
    /// What it was told in the end, and by which call.
    pub last: Last,
}

/// The last answer a client got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The call failed.
    Error(&'static str, Errno),
    /// Poll said this.
    Mask(PollEvents),
}

impl Role {
    /// Whether this is the end that a client of this role deserves when its device is unplugged.
    pub fn is_promised(self, fate: &Fate) -> bool {
        let told = match (self, fate.last) {
            (Self::Poll, Last::Mask(mask)) => mask.contains(PollEvents::ERR | PollEvents::HUP),
            (Self::Poll, _) => false,
            (_, Last::Error(_, errno)) => errno == Errno::ENODEV,
            (_, Last::Mask(_)) => false,
        };
        told && (fate.frames > 0 || !matches!(self, Self::Stream | Self::Read))
    }

    /// Acts the role on `file` until the device is gone. `ready` is called when there is something to be
    /// unplugged under; the holder then waits for it to return.
    ///
    /// # Errors
    /// What keeps it from getting that far.
    pub fn act<F: VideoFile>(self, file: F, ready: impl FnOnce()) -> Result<Fate> {
        match self {
            Self::Stream => stream(file, ready),
            Self::Sleep => {
                let stream = Stream::start(file, 5)?;
                ready();
                let last = stream.dequeue().map(drop);
                Ok(Fate { frames: 0, last: Last::Error("DQBUF", failed(last)) })
            }
            Self::Poll => {
                ready();
                Ok(Fate { frames: 0, last: Last::Mask(file.poll(PollEvents::IN | PollEvents::PRI, None)?) })
            }
            Self::Read => read(&file, ready),
            Self::Hold => {
                let format = || get(&file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() });
                format()?;
                ready();
                Ok(Fate { frames: 0, last: Last::Error("G_FMT", failed(format())) })
            }
        }
    }
}

fn stream<F: VideoFile>(file: F, ready: impl FnOnce()) -> Result<Fate> {
    let stream = Stream::start(file, 5)?;
    let mut ready = Some(ready);
    let mut frames = 0;
    loop {
        let step = || {
            let frame = stream.dequeue().map_err(|errno| ("DQBUF", errno))?;
            stream.queue(frame.index).map_err(|errno| ("QBUF", errno))
        };
        match step() {
            Ok(()) => frames += 1,
            Err((call, errno)) => return Ok(Fate { frames, last: Last::Error(call, errno) }),
        }
        if let Some(ready) = ready.take() {
            ready();
        }
    }
}

fn read<F: VideoFile>(file: &F, ready: impl FnOnce()) -> Result<Fate> {
    let mut ready = Some(ready);
    let mut frame = vec![
        0;
        get(file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() })?.pix.sizeimage
            as usize
    ];
    let mut frames = 0;
    loop {
        match file.read(&mut frame) {
            Ok(_) => frames += 1,
            Err(errno) => return Ok(Fate { frames, last: Last::Error("read", errno) }),
        }
        if let Some(ready) = ready.take() {
            ready();
        }
    }
}

/// The error that a call must have ended with; success is reported as what it is not.
fn failed<T>(result: Result<T>) -> Errno {
    result.err().unwrap_or(Errno::EPROTO)
}

/// `12 frames, then DQBUF: No such device (ENODEV)`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames > 0 {
            write!(f, "{} frames, then ", self.frames)?;
        }
        match self.last {
            Last::Error(call, errno) => write!(f, "{call}: {errno}"),
            Last::Mask(mask) => write!(f, "poll: {mask:?}"),
        }
    }
}
