//! Nodes, of the system or of this process, for clients that do the same on both.
use super::act::{Act, Once, Told};
use fops_host::testkit::ClientNode;
use fops_host::{Descriptor, Devices};
use fops_runtime::{Errno, OpenFlags, PollEvents, Poller, Result, WaitQueue};
use rcar_vin::client::{RealFile, VideoFile, get};
use rcar_vin::ioctls::*;
use rcar_vin::media_uapi::*;
use rcar_vin::uapi::{v4l2_capability, zeroed};
use rustix::event::epoll;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::channel;

/// What a node is of, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a VIN.
    Video,
    /// Of the receiver.
    Subdev,
    /// Of the group.
    Media,
}

impl Kind {
    fn of(name: &str) -> Self {
        match name {
            name if name.starts_with("video") => Self::Video,
            name if name.starts_with("media") => Self::Media,
            _ => Self::Subdev,
        }
    }

    pub(super) fn ask(self, file: &impl VideoFile) -> Result {
        match self {
            Self::Video => get::<v4l2_capability>(file, VIDIOC_QUERYCAP, zeroed()).map(drop),
            Self::Subdev => get::<v4l2_subdev_capability>(file, VIDIOC_SUBDEV_QUERYCAP, zeroed()).map(drop),
            Self::Media => get::<media_device_info>(file, MEDIA_IOC_DEVICE_INFO, zeroed()).map(drop),
        }
    }

    pub(super) const fn log(self) -> fops_runtime::Command {
        match self {
            Self::Video => VIDIOC_LOG_STATUS,
            _ => VIDIOC_SUBDEV_LOG_STATUS,
        }
    }
}

/// A node, by its name.
pub trait Place {
    /// A file of it.
    type File: VideoFile + Send + Sync + 'static;

    /// What it is of.
    fn kind(&self) -> Kind;

    /// Opens it.
    ///
    /// # Errors
    /// Those of `open(2)`.
    fn open(&self) -> Result<Self::File>;

    /// Sleeps in `epoll_wait(2)` for input, error or hang-up. `ready` is called before.
    ///
    /// # Errors
    /// Those of `open(2)` and of epoll.
    fn epoll(&self, ready: impl FnOnce()) -> Result<PollEvents>;
}

/// A node of the system.
pub struct RealNode(pub PathBuf);

impl Place for RealNode {
    type File = RealFile;

    fn kind(&self) -> Kind {
        Kind::of(self.0.file_name().and_then(|name| name.to_str()).unwrap_or_default())
    }

    fn open(&self) -> Result<RealFile> {
        RealFile::open(&self.0)
    }

    fn epoll(&self, ready: impl FnOnce()) -> Result<PollEvents> {
        let errno = |errno: rustix::io::Errno| Errno::from_raw(errno.raw_os_error());
        let file = File::options().read(true).write(true).open(&self.0)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(errno)?;
        epoll::add(&epoll, &file, epoll::EventData::new_u64(0), epoll::EventFlags::IN).map_err(errno)?;
        ready();
        let mut events = Vec::with_capacity(1);
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None).map_err(errno)?;
        let epoll::Event { flags, .. } = events[0];
        Ok(PollEvents::from_bits(flags.bits()))
    }
}

/// A node of this process.
pub struct OwnNode {
    /// Where it is.
    pub devices: Arc<Devices>,
    /// What it is called.
    pub name: String,
}

/// Told by a node that its mask may have changed, as epoll is.
#[derive(Default)]
struct Watch {
    told: AtomicBool,
    queue: WaitQueue,
}

impl Poller for Watch {
    fn wake(&self) {
        self.told.store(true, SeqCst);
        self.queue.wake_all();
    }
}

impl Place for OwnNode {
    type File = Descriptor;

    fn kind(&self) -> Kind {
        Kind::of(&self.name)
    }

    fn open(&self) -> Result<Descriptor> {
        self.devices.open(&self.name, OpenFlags::RDWR)
    }

    fn epoll(&self, ready: impl FnOnce()) -> Result<PollEvents> {
        watch(&self.open()?, ready)
    }
}

/// Sleeps in epoll, in process.
fn watch(file: &Descriptor, ready: impl FnOnce()) -> Result<PollEvents> {
    let wanted = PollEvents::IN | PollEvents::ERR | PollEvents::HUP;
    let watch = Arc::new(Watch::default());
    let poller: Arc<dyn Poller> = watch.clone();
    let mut ready = Once(Some(ready));
    loop {
        let mask = file.file().poll(wanted, Some(&poller)) & wanted;
        ready.call();
        if mask != PollEvents::EMPTY {
            return Ok(mask);
        }
        watch.queue.wait_event(None, || watch.told.swap(false, SeqCst).then_some(()))?;
    }
}

impl Place for ClientNode {
    type File = Descriptor;

    fn kind(&self) -> Kind {
        Kind::of(self.name())
    }

    fn open(&self) -> Result<Descriptor> {
        Ok((*Self::open(self)?).clone())
    }

    fn epoll(&self, ready: impl FnOnce()) -> Result<PollEvents> {
        watch(&Place::open(self)?, ready)
    }
}

/// The act, for the test kit: in process, or on the file of a node that is served.
pub fn as_client(act: Act) -> impl Fn(&ClientNode) -> Result<PollEvents> + Send + Sync {
    move |node| {
        let (_release, released) = channel();
        let end = match node.path() {
            Some(path) => act.run(&RealNode(path.into()), || (), &released)?,
            None => act.run(node, || (), &released)?,
        };
        match end.told {
            Told::Fine => Ok(PollEvents::EMPTY),
            Told::Errno(errno) => Err(errno),
            Told::Mask(mask) => Ok(mask),
        }
    }
}
