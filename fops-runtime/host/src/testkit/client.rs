//! What an act is given: a device node, as a client sees it.
use crate::in_process::Descriptor;
use crate::nodes::node::Node;
use crate::testkit::patience::Patience;
use crate::testkit::trace::Trace;
use fops_runtime::{OpenFlags, PollEvents, Poller, Result, WaitQueue};
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

/// The node of the device under test, as a client sees it.
pub struct ClientNode {
    pub(super) node: Arc<Node>,
    /// Where it is served.
    pub(super) path: Option<PathBuf>,
    pub(super) trace: Arc<Trace>,
    pub(super) patience: Patience,
}

/// An open file of the device under test: a [`Descriptor`] whose [`poll`](Self::poll) is watched by the kit.
pub struct ClientFile {
    file: Descriptor,
    trace: Arc<Trace>,
    patience: Patience,
}

impl ClientNode {
    /// Its name in `/dev`.
    pub fn name(&self) -> &str {
        self.node.name()
    }

    /// Its file, if it is served [on nodes](crate::testkit::Hotplug::on_nodes). An act may open that itself, and do what else
    /// a program does: map memory, wait in `epoll_wait(2)`. Once the file has gone, `ENOENT` is as good as `ENODEV`.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Opens a file, for reading and writing.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open(&self) -> Result<ClientFile> {
        self.open_with(OpenFlags::RDWR)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// As [`Node::open`].
    pub fn open_with(&self, flags: OpenFlags) -> Result<ClientFile> {
        let file = Descriptor::of(self.node.open(flags)?);
        Ok(ClientFile { file, trace: self.trace.clone(), patience: self.patience })
    }
}

/// Sleeps in poll.
#[derive(Default)]
struct Sleeper {
    told: AtomicU64,
    queue: WaitQueue,
}

impl Poller for Sleeper {
    fn wake(&self) {
        self.told.fetch_add(1, SeqCst);
        self.queue.wake_all();
    }
}

impl ClientFile {
    /// `poll(2)` without a timeout: sleeps until one of `events`, an error or a hang-up is there.
    ///
    /// While it sleeps, the kit asks the file now and then. If the mask has events and no queue was woken that the
    /// driver's poll registered, the kit reports it.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn poll(&self, events: PollEvents) -> Result<PollEvents> {
        let wanted = events | PollEvents::ERR | PollEvents::HUP;
        if let Some(mask) = self.file.file().sleep_in_poll(wanted) {
            return mask;
        }
        let sleeper = Arc::new(Sleeper::default());
        let poller: Arc<dyn Poller> = sleeper.clone();
        loop {
            let told = sleeper.told.load(SeqCst);
            let mask = self.file.file().poll(wanted, Some(&poller)) & wanted;
            if mask != PollEvents::EMPTY {
                return Ok(mask);
            }
            let (mut mask, mut failed) = (PollEvents::EMPTY, None);
            let is_told = || sleeper.told.load(SeqCst) != told;
            loop {
                let sleep = |limit| sleeper.queue.wait_event(Some(limit), || is_told().then_some(()));
                match sleep(Duration::from_millis(10)) {
                    Ok(None) => {}
                    Ok(Some(())) => break,
                    Err(error) => {
                        failed = Some(error);
                        break;
                    }
                }
                mask = self.file.file().poll(wanted, None) & wanted;
                if mask == PollEvents::EMPTY {
                    continue;
                }
                self.trace.state().suspects = true;
                let heard = self
                    .patience
                    .until(|| is_told() || self.file.file().poll(wanted, None) & wanted == PollEvents::EMPTY);
                let mut state = self.trace.state();
                state.suspects = false;
                if !heard {
                    state.unheard = Some(mask);
                    break;
                }
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
            if !is_told() {
                return Ok(mask);
            }
        }
    }
}

impl Deref for ClientFile {
    type Target = Descriptor;

    fn deref(&self) -> &Descriptor {
        &self.file
    }
}

impl fmt::Debug for ClientNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientNode").field(&self.name()).finish()
    }
}

impl fmt::Debug for ClientFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientFile").field(&self.file).finish()
    }
}
