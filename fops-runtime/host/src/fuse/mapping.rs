//! How clients map a node's buffer memory.
use super::channel::Kernel;
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::buffer::{BufferMemory, Published};
use crate::nodes::node::Node;
use fops_runtime::Errno;
use rustix::fd::AsFd;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Weak};

/// How `mmap(2)` of a node works.
///
/// Displays as a phrase: `buffers are mapped directly`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mmap {
    /// The memory itself is mapped (`FUSE_PASSTHROUGH`). Needs root and Linux 6.9.
    Passthrough,
    /// The page cache is mapped; what the device [publishes](BufferMemory::publish) is copied there
    /// (`FUSE_DIRECT_IO_ALLOW_MMAP`). Needs Linux 6.6.
    PageCache,
    /// It answers `ENODEV`.
    None,
}

impl fmt::Display for Mmap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passthrough => "buffers are mapped directly",
            Self::PageCache => "buffers are mapped as copies in the page cache",
            Self::None => "buffers cannot be mapped",
        })
    }
}

/// What the nodes that are open have of it.
pub(super) struct Mappings {
    mode: Mmap,
    /// By the node's id.
    nodes: Lock<HashMap<u64, Weak<Mapped>>>,
}

impl Mappings {
    pub(super) fn new(mode: Mmap) -> Self {
        Self { mode, nodes: Lock::default() }
    }

    /// The mapping that all files of the node share. `None` where it cannot be mapped.
    pub(super) fn of(&self, node: &Node, nodeid: u64, channel: &Weak<dyn Kernel>) -> Option<Arc<Mapped>> {
        let memory = node.memory()?;
        let mut nodes = self.nodes.lock();
        if let Some(mapped) = nodes.get(&node.id()).and_then(Weak::upgrade) {
            return Some(mapped);
        }
        nodes.retain(|_, mapped| mapped.strong_count() > 0);
        let backing = match self.mode {
            Mmap::Passthrough => match open_backing(memory, &*channel.upgrade()?) {
                Ok(id) => Some(id),
                Err(errno) => {
                    log!(warn, "{}: cannot be mapped: the kernel refuses its memory: {errno}", node.name());
                    return None;
                }
            },
            Mmap::PageCache => None,
            Mmap::None => return None,
        };
        let mapped = Arc::new(Mapped { channel: channel.clone(), nodeid, backing, memory: Arc::downgrade(memory) });
        if backing.is_none() {
            let watcher: Arc<dyn Published> = mapped.clone();
            memory.watch(&watcher);
        }
        nodes.insert(node.id(), Arc::downgrade(&mapped));
        Some(mapped)
    }
}

fn open_backing(memory: &BufferMemory, channel: &dyn Kernel) -> Result<u32, Errno> {
    channel.backing_open(memory.file().ok_or(Errno::EOPNOTSUPP)?.as_fd())
}

/// Whether this process may pass files through: tried out, with the channel's protocol agreed upon.
pub(super) fn try_passthrough(channel: &dyn Kernel) -> Result<(), Errno> {
    let memory = BufferMemory::new(4096)?;
    channel.backing_close(open_backing(&memory, channel)?);
    Ok(())
}

/// The mapping of one node, while a file of it is open.
pub(super) struct Mapped {
    channel: Weak<dyn Kernel>,
    nodeid: u64,
    /// One id for all files: the kernel refuses a second one for the same inode.
    backing: Option<u32>,
    /// Weak, since the memory's own watcher must not keep it.
    memory: Weak<BufferMemory>,
}

impl Mapped {
    /// The id to be given to the kernel at open.
    pub(super) const fn backing(&self) -> Option<u32> {
        self.backing
    }
}

impl Published for Mapped {
    fn published(&self, range: Range<u64>) {
        const AT_ONCE: u64 = 1 << 18;
        let (Some(channel), Some(memory)) = (self.channel.upgrade(), self.memory.upgrade()) else { return };
        let end = range.end.min(memory.len());
        let mut data = vec![0; AT_ONCE.min(end.saturating_sub(range.start)) as usize];
        let mut at = range.start;
        while at < end {
            let part = &mut data[..AT_ONCE.min(end - at) as usize];
            if let Err(errno) = memory.read_at(at, part) {
                log!(error, "fuse: cannot read buffer memory at {at}: {errno}");
                return;
            }
            channel.notify_store(self.nodeid, at, part);
            at += part.len() as u64;
        }
    }
}

impl Drop for Mapped {
    fn drop(&mut self) {
        if let (Some(id), Some(channel)) = (self.backing, self.channel.upgrade()) {
            channel.backing_close(id);
        }
    }
}
