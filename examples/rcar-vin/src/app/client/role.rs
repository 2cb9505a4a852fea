//! What clients do while their device is unplugged, and what becomes of them.
use super::{Stream, VideoFile, get};
use crate::uapi::ioctls::*;
use crate::uapi::*;
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
    /// The same in `select(2)`.
    Select,
    /// The same in `epoll_wait(2)`.
    Epoll,
    /// Sleeps in `VIDIOC_DQEVENT`: its sensor delivers nothing.
    Event,
    /// Sleeps in `VIDIOC_STREAMOFF`: its hardware is in a long frame.
    StreamOff,
    /// Sleeps in `VIDIOC_LOG_STATUS`: its console is slow.
    LogStatus,
    /// Reads frames with `read(2)`.
    Read,
    /// Holds a file open, and uses it once more when the device is gone.
    Hold,
}

/// The calls that a fate may name.
const CALLS: [&str; 7] = ["DQBUF", "QBUF", "read", "G_FMT", "DQEVENT", "STREAMOFF", "LOG_STATUS"];

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
    /// What it is called on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stream => "stream",
            Self::Sleep => "sleep",
            Self::Poll => "poll",
            Self::Select => "select",
            Self::Epoll => "epoll",
            Self::Event => "event",
            Self::StreamOff => "stream-off",
            Self::LogStatus => "log-status",
            Self::Read => "read",
            Self::Hold => "hold",
        }
    }

    /// Whether this is the end that a client of this role deserves when its device is unplugged.
    pub fn is_promised(self, fate: &Fate) -> bool {
        let told = match (self, fate.last) {
            (Self::Poll | Self::Epoll, Last::Mask(mask)) => mask.contains(PollEvents::ERR | PollEvents::HUP),
            // It has no word for the rest.
            (Self::Select, Last::Mask(mask)) => mask.contains(PollEvents::IN | PollEvents::PRI),
            (Self::Poll | Self::Select | Self::Epoll, _) => false,
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
            Self::Select => {
                ready();
                Ok(Fate { frames: 0, last: Last::Mask(file.select(PollEvents::IN | PollEvents::PRI)?) })
            }
            Self::Epoll => {
                ready();
                Ok(Fate { frames: 0, last: Last::Mask(file.epoll(PollEvents::IN | PollEvents::PRI)?) })
            }
            Self::Event => {
                subscribe(&file)?;
                ready();
                Ok(Fate { frames: 0, last: Last::Error("DQEVENT", failed(event(&file))) })
            }
            Self::StreamOff => {
                subscribe(&file)?;
                let stream = Stream::start(file, 5)?;
                // A frame has begun.
                event(stream.file())?;
                ready();
                Ok(Fate { frames: 0, last: Last::Error("STREAMOFF", failed(stream.stop())) })
            }
            Self::LogStatus => {
                ready();
                Ok(Fate { frames: 0, last: Last::Error("LOG_STATUS", failed(file.ioctl(VIDIOC_LOG_STATUS, &mut []))) })
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

/// Subscribes to the beginnings of frames.
fn subscribe(file: &impl VideoFile) -> Result {
    let wanted = v4l2_event_subscription { type_: V4L2_EVENT_FRAME_SYNC, ..zeroed() };
    get(file, VIDIOC_SUBSCRIBE_EVENT, wanted).map(drop)
}

fn event(file: &impl VideoFile) -> Result<Event> {
    get(file, VIDIOC_DQEVENT, zeroed())
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

/// How a client of its own process tells its fate, in a line.
impl Fate {
    /// `12 error DQBUF 19`, or `0 mask poll 26`.
    pub fn to_line(&self) -> String {
        match self.last {
            Last::Error(call, errno) => format!("{} error {call} {}", self.frames, errno.raw()),
            Last::Mask(mask) => format!("{} mask poll {}", self.frames, mask.bits()),
        }
    }

    /// The fate that a line tells.
    pub fn from_line(line: &str) -> Option<Self> {
        let [frames, kind, call, number] = line.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let last = match kind {
            "error" => {
                let call = CALLS.into_iter().find(|known| *known == call)?;
                Last::Error(call, Errno::from_raw(number.parse().ok()?))
            }
            "mask" => Last::Mask(PollEvents::from_bits(number.parse().ok()?)),
            _ => return None,
        };
        Some(Self { frames: frames.parse().ok()?, last })
    }
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
