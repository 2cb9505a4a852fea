//! One device node.
//!
//! This is where a host's threads enter the driver: panics end here, answers are checked, and the time from
//! the flag to each answer is measured.
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::buffer::BufferMemory;
use crate::nodes::erased::{AnyDevice, OfType};
use crate::nodes::kind::NodeKind;
#[cfg(all(feature = "fuse", target_os = "linux"))]
use crate::nodes::kind::Subsystem;
use crate::nodes::registration::Registration;
use fops_runtime::catch_panic;
use fops_runtime::{Client, Device, Errno, FileOperations, Request, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A registered device node, such as `video0`.
///
/// It stays among the [`Devices`](crate::Devices) until its device is gone and its last file is released; in
/// between it answers `ENODEV`.
pub struct Node {
    name: String,
    id: u64,
    /// With its number among those of its kind.
    kind: Option<(Arc<NodeKind>, u32)>,
    pub(super) device: Box<dyn AnyDevice>,
    memory: Option<Arc<BufferMemory>>,
    registration: Arc<Registration>,
    running: AtomicUsize,
    answers: Lock<Vec<Answer>>,
}

/// How long after unplug began an operation that was in flight then gave its answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The system call, such as `ioctl`.
    pub call: &'static str,
    /// Whose it was.
    pub client: Option<Client>,
    /// What it answered.
    pub errno: Option<Errno>,
    /// From the flag to the answer.
    pub after: Duration,
}

/// `ioctl of 42 (v4l2-ctl) answered ENODEV 41.2µs after the flag`.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of ", self.call)?;
        match self.client {
            Some(client) => write!(f, "{client} answered ")?,
            None => f.write_str("a thread of this process answered ")?,
        }
        match self.errno {
            Some(errno) => write!(f, "{errno:?}")?,
            None => f.write_str("success")?,
        }
        write!(f, " {:.2?} after the flag", self.after)
    }
}

impl Node {
    pub(super) fn new<D>(
        name: String,
        kind: Option<(Arc<NodeKind>, u32)>,
        device: Arc<D>,
        memory: Option<Arc<BufferMemory>>,
        registration: Registration,
    ) -> Self
    where
        D: FileOperations + Device,
    {
        Self::of_any(name, kind, Box::new(OfType(device)), memory, registration)
    }

    pub(super) fn of_any(
        name: String,
        kind: Option<(Arc<NodeKind>, u32)>,
        device: Box<dyn AnyDevice>,
        memory: Option<Arc<BufferMemory>>,
        registration: Registration,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Relaxed);
        Self {
            name,
            id,
            kind,
            device,
            memory,
            registration: Arc::new(registration),
            running: AtomicUsize::new(0),
            answers: Lock::default(),
        }
    }

    /// Its name in `/dev`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Tells this node from every other, past and to come, of the same name too.
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Its device number, major and minor, where its [kind](NodeKind) is known.
    pub fn device_number(&self) -> Option<(u32, u32)> {
        self.kind.as_ref().map(|(kind, number)| kind.device_number(*number))
    }

    /// Where sysfs lists it.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub(crate) fn subsystem(&self) -> Option<&Subsystem> {
        self.kind.as_ref().map(|(kind, _)| &kind.subsystem)
    }

    /// The memory that its files map.
    pub const fn memory(&self) -> Option<&Arc<BufferMemory>> {
        self.memory.as_ref()
    }

    /// Whether the device is being unplugged or gone.
    pub fn is_unplugged(&self) -> bool {
        self.device.is_unplugged()
    }

    /// How many files are open on it.
    pub fn open_files(&self) -> usize {
        self.registration.open_files()
    }

    /// How many operations run on its files now, those that sleep included.
    pub fn running(&self) -> usize {
        self.running.load(Relaxed)
    }

    /// The operations that were in flight when unplug began and have answered since, in their order.
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().clone()
    }

    /// Its operations, as the driver wrote them.
    #[cfg(feature = "testkit")]
    pub(crate) fn ops(&self) -> &'static [fops_runtime::Op] {
        self.device.ops()
    }

    /// Whether a hook of the driver's has panicked while the device was unplugged.
    #[cfg(feature = "testkit")]
    pub(crate) fn hook_has_panicked(&self) -> bool {
        fops_runtime::points::hook_has_panicked(self.device.lifetime_id())
    }

    /// The clones of its device's resources that were left when these were handed back.
    #[cfg(feature = "testkit")]
    pub(crate) fn escapes(&self) -> Vec<String> {
        fops_runtime::points::escapes(self.device.lifetime_id())
    }

    /// How long ago the unplug of its device began.
    #[cfg(feature = "testkit")]
    pub(crate) fn gone_for(&self) -> Option<Duration> {
        self.device.unplug_began().map(|began| began.elapsed())
    }

    /// The worst cause that its device was told.
    #[cfg(feature = "testkit")]
    pub(crate) fn cause(&self) -> Option<fops_runtime::Cause> {
        self.device.cause()
    }

    /// Leads to the driver's structure as long as somebody holds it.
    #[cfg(feature = "testkit")]
    pub(crate) fn downgrade(&self) -> std::sync::Weak<dyn std::any::Any + Send + Sync> {
        self.device.downgrade()
    }

    pub(crate) const fn registration(&self) -> &Arc<Registration> {
        &self.registration
    }

    /// Runs one operation: a panic is `EIO`, and an answer given after unplug began is noted.
    pub(super) fn run<T>(&self, call: &'static str, operation: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        let client = Request::current().client();
        // A number to look at: nothing is ordered by it.
        self.running.fetch_add(1, Relaxed);
        // The section is given back by unwinding.
        let result = catch_panic(operation).unwrap_or_else(|| {
            log!(error, "{}: {call:?} panicked; the caller gets EIO", self.name);
            Err(Errno::EIO)
        });
        self.running.fetch_sub(1, Relaxed);
        if self.device.is_unplugged()
            && let Some(flag) = self.device.unplug_began()
            && began < flag
        {
            self.note(Answer { call, client, errno: result.as_ref().err().copied(), after: flag.elapsed() });
        }
        result
    }

    fn note(&self, answer: Answer) {
        log!(info, "{}: {answer}", self.name);
        self.answers.lock().push(answer);
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("name", &self.name).field("id", &self.id).finish_non_exhaustive()
    }
}
