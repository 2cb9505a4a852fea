//! What clients do while devices come and go, the same on real nodes and on those of this process.
use super::place::{Kind, Place};
use fops_runtime::{Errno, PollEvents, Result};
use rcar_vin::client::{Mapped, Stream, VideoFile, get};
use rcar_vin::ioctls::*;
use rcar_vin::uapi::{Format, V4L2_BUF_TYPE_VIDEO_CAPTURE, zeroed};
use std::fmt;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Streams, and looks at each picture in its mapped buffer: once more when the device is gone.
    Stream,
    /// Sleeps in `VIDIOC_DQBUF`: its sensor delivers nothing.
    Sleep,
    /// Reads pictures with `read(2)`.
    Read,
    /// Turns a stream on and off: sleeps in `VIDIOC_STREAMOFF` until the hardware is at the end of its frame.
    Toggle,
    /// Sleeps in `poll(2)` on somebody else's stream.
    Poll,
    /// Sleeps in `epoll_wait(2)` on it.
    Epoll,
    /// Asks for this and that, as fast as it can.
    Ask,
    /// Has the registers written to the log, as fast as they can be.
    Log,
    /// Opens and closes, until it is released, whatever comes of it.
    Storm,
    /// Holds a file open until it is released, and uses it once more.
    Hold,
    /// Makes sure that all is well: the node answers, and where there are pictures three of them come.
    Check,
}

/// How an act ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The last call.
    pub call: String,
    /// What it was told.
    pub told: Told,
    /// What was done until then: pictures, answers, files.
    pub count: u64,
}

/// The last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Success.
    Fine,
    /// An error.
    Errno(Errno),
    /// What poll said.
    Mask(PollEvents),
}

impl Act {
    const ALL: [Self; 11] = [
        Self::Stream,
        Self::Sleep,
        Self::Read,
        Self::Toggle,
        Self::Poll,
        Self::Epoll,
        Self::Ask,
        Self::Log,
        Self::Storm,
        Self::Hold,
        Self::Check,
    ];

    /// By its name as `{:?}` writes it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|act| format!("{act:?}") == name)
    }

    /// Whether it goes to sleep for good.
    pub const fn sleeps(self) -> bool {
        matches!(self, Self::Sleep | Self::Poll | Self::Epoll | Self::Hold)
    }

    /// Whether this is the end that it deserves when its device goes.
    pub fn is_promised(self, end: &End) -> bool {
        let gone = PollEvents::ERR | PollEvents::HUP;
        match (self, end.told) {
            (Self::Poll | Self::Epoll, Told::Mask(mask)) => mask.contains(gone),
            (Self::Storm | Self::Check, Told::Fine) => end.count > 0,
            (Self::Poll | Self::Epoll | Self::Storm | Self::Check, _) | (_, Told::Mask(_) | Told::Fine) => false,
            (_, Told::Errno(errno)) => errno == Errno::ENODEV && (end.count > 0 || self.sleeps()),
        }
    }

    /// Acts until the device is gone. `ready` is called when there is something that it can go under; `released` is
    /// hung up on when it is to go on, or to end.
    ///
    /// # Errors
    /// What keeps it from getting that far.
    pub fn run<P: Place>(self, place: &P, ready: impl FnOnce(), released: &Receiver<()>) -> Result<End> {
        let mut ready = Once(Some(ready));
        match self {
            Self::Stream => stream(place, ready),
            Self::Sleep => {
                let stream = start(place.open()?)?;
                ready.call();
                Ok(End::of("DQBUF", stream.dequeue(), 0))
            }
            Self::Read => read(place, ready),
            Self::Toggle => toggle(place, ready),
            Self::Poll => {
                let file = place.open()?;
                ready.call();
                let mask = file.poll(PollEvents::IN | PollEvents::PRI, None)?;
                Ok(End { call: "poll".into(), told: Told::Mask(mask), count: 0 })
            }
            Self::Epoll => {
                let mask = place.epoll(|| ready.call())?;
                Ok(End { call: "epoll".into(), told: Told::Mask(mask), count: 0 })
            }
            Self::Ask => repeat(ready, "ioctl", place.open()?, |file| place.kind().ask(file)),
            Self::Log => repeat(ready, "LOG_STATUS", place.open()?, |file| file.ioctl(place.kind().log(), &mut [])),
            Self::Storm => storm(place, ready, released),
            Self::Hold => {
                let file = place.open()?;
                place.kind().ask(&file)?;
                ready.call();
                let _ = released.recv();
                Ok(End::of("ioctl", place.kind().ask(&file), 0))
            }
            Self::Check => check(place, ready),
        }
    }
}

impl End {
    fn of<T>(call: &str, result: Result<T>, count: u64) -> Self {
        Self { call: call.into(), told: result.err().map_or(Told::Fine, Told::Errno), count }
    }

    /// From what [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let [call, kind, number, count] = text.split(' ').collect::<Vec<_>>().try_into().ok()?;
        let told = match kind {
            "fine" => Told::Fine,
            "errno" => Told::Errno(Errno::from_raw(number.parse().ok()?)),
            "mask" => Told::Mask(PollEvents::from_bits(number.parse().ok()?)),
            _ => return None,
        };
        Some(Self { call: call.into(), told, count: count.parse().ok()? })
    }
}

/// `DQBUF errno 19 12`.
impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.told {
            Told::Fine => write!(f, "{} fine 0 {}", self.call, self.count),
            Told::Errno(errno) => write!(f, "{} errno {} {}", self.call, errno.raw(), self.count),
            Told::Mask(mask) => write!(f, "{} mask {} {}", self.call, mask.bits(), self.count),
        }
    }
}

pub(super) struct Once<F>(pub(super) Option<F>);

impl<F: FnOnce()> Once<F> {
    pub(super) fn call(&mut self) {
        if let Some(f) = self.0.take() {
            f();
        }
    }
}

/// Several users of one file.
struct Shared<F>(Arc<F>);

impl<F> Clone for Shared<F> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<F: VideoFile> VideoFile for Shared<F> {
    fn ioctl(&self, command: fops_runtime::Command, data: &mut [u8]) -> Result {
        self.0.ioctl(command, data)
    }

    fn read(&self, buf: &mut [u8]) -> Result<usize> {
        self.0.read(buf)
    }

    fn poll(&self, events: PollEvents, timeout: Option<Duration>) -> Result<PollEvents> {
        self.0.poll(events, timeout)
    }

    fn map(&self, offset: u64, len: u64) -> Result<Box<dyn Mapped>> {
        self.0.map(offset, len)
    }
}

const BUFFERS: u32 = 5;

/// Small pictures: it is not the painting that is tested.
fn set_format(file: &impl VideoFile) -> Result<Format> {
    let mut format = get(file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() })?;
    (format.pix.width, format.pix.height) = (64, 48);
    get(file, VIDIOC_S_FMT, format)
}

fn start<F: VideoFile>(file: F) -> Result<Stream<F>> {
    set_format(&file)?;
    Stream::start(file, BUFFERS)
}

fn stream<P: Place>(place: &P, mut ready: Once<impl FnOnce()>) -> Result<End> {
    let stream = start(place.open()?)?;
    let (mut count, mut last) = (0, None);
    loop {
        let mut step = || {
            let frame = stream.dequeue().map_err(|errno| ("DQBUF", errno))?;
            look(&stream.picture(&frame).map_err(|errno| ("mmap", errno))?);
            last = Some(frame);
            stream.queue(frame.index).map_err(|errno| ("QBUF", errno))
        };
        if let Err((call, errno)) = step() {
            // What is mapped stays readable.
            if let Some(frame) = last {
                look(&stream.picture(&frame)?);
            }
            return Ok(End::of::<()>(call, Err(errno), count));
        }
        count += 1;
        ready.call();
    }
}

fn look(picture: &[u8]) {
    assert!(picture.iter().any(|&byte| byte != picture[0]), "nothing to see");
}

fn read<P: Place>(place: &P, mut ready: Once<impl FnOnce()>) -> Result<End> {
    let file = place.open()?;
    let mut picture = vec![0; set_format(&file)?.pix.sizeimage as usize];
    repeat_with(&mut ready, "read", || file.read(&mut picture).map(drop))
}

fn toggle<P: Place>(place: &P, mut ready: Once<impl FnOnce()>) -> Result<End> {
    let file = Shared(Arc::new(place.open()?));
    let stream = start(file.clone())?;
    repeat_with(&mut ready, "STREAMOFF", || {
        get(&file, VIDIOC_STREAMOFF, V4L2_BUF_TYPE_VIDEO_CAPTURE)?;
        (0..BUFFERS).try_for_each(|index| stream.queue(index))?;
        get(&file, VIDIOC_STREAMON, V4L2_BUF_TYPE_VIDEO_CAPTURE)?;
        stream.dequeue().map(drop)
    })
}

fn repeat<F>(mut ready: Once<impl FnOnce()>, call: &str, file: F, mut step: impl FnMut(&F) -> Result) -> Result<End> {
    repeat_with(&mut ready, call, || step(&file))
}

fn repeat_with(ready: &mut Once<impl FnOnce()>, call: &str, mut step: impl FnMut() -> Result) -> Result<End> {
    let mut count = 0;
    loop {
        if let Err(errno) = step() {
            return Ok(End::of::<()>(call, Err(errno), count));
        }
        count += 1;
        ready.call();
    }
}

fn storm<P: Place>(place: &P, mut ready: Once<impl FnOnce()>, released: &Receiver<()>) -> Result<End> {
    let mut count = 0;
    loop {
        match place.open() {
            Ok(_) => count += 1,
            // It is gone; another one may come by this name.
            Err(Errno::ENODEV | Errno::ENOENT) if count > 0 => std::thread::sleep(Duration::from_millis(1)),
            Err(errno) => return Ok(End::of::<()>("open", Err(errno), count)),
        }
        ready.call();
        if released.try_recv() == Err(TryRecvError::Disconnected) {
            return Ok(End::of("open", Ok(()), count));
        }
    }
}

fn check<P: Place>(place: &P, mut ready: Once<impl FnOnce()>) -> Result<End> {
    let file = place.open()?;
    place.kind().ask(&file)?;
    ready.call();
    if place.kind() == Kind::Video {
        let stream = start(file)?;
        let mut next = 0;
        for _ in 0..3 {
            let frame = stream.dequeue()?;
            assert!(frame.sequence >= next, "{frame:?} after {next}");
            next = frame.sequence + 1;
            look(&stream.picture(&frame)?);
            stream.queue(frame.index)?;
        }
        stream.stop()?;
    }
    Ok(End::of("all", Ok(()), 1))
}

/// The other end of what an act's `released` listens to: hung up on when it is dropped.
pub type Release = mpsc::Sender<()>;
