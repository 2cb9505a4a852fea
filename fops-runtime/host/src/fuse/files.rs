//! Open files: those of nodes, which run the driver's operations, and those of the small sysfs.
use super::abi::*;
use super::attribute::Attribute;
use super::caller::Caller;
use super::channel::Kernel;
use super::mapping::Mapped;
use super::reply::Reply;
use crate::lock::{Lock, SharedLock};
use crate::nodes::buffer::BufferMemory;
use crate::nodes::open_file::OpenFile;
use fops_runtime::{
    Client, Command, Errno, IoctlArg, OpenFlags, PollEvents, Poller, Request, Result, SeekFrom, WaitQueue,
};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// What a handle of the kernel's stands for.
pub(super) enum Opened {
    Node(NodeFile),
    Text(String),
    Attribute(Attribute),
    /// Its entries when it was last read from the start.
    Directory(Lock<Vec<(u64, u32, String)>>),
}

/// All open files, by handle.
#[derive(Default)]
pub(super) struct Files {
    table: SharedLock<BTreeMap<u64, Arc<Opened>>>,
    last: AtomicU64,
    /// Woken when a file is closed.
    closed: WaitQueue,
}

impl Files {
    pub(super) fn insert(&self, opened: Opened) -> u64 {
        let fh = self.last.fetch_add(1, SeqCst) + 1;
        self.table.write().insert(fh, Arc::new(opened));
        fh
    }

    pub(super) fn get(&self, fh: u64) -> Result<Arc<Opened>> {
        self.table.read().get(&fh).cloned().ok_or(Errno::EBADF)
    }

    /// The file of a node.
    pub(super) fn node<T>(&self, fh: u64, operation: impl FnOnce(&NodeFile) -> Result<T>) -> Result<T> {
        match &*self.get(fh)? {
            Opened::Node(file) => operation(file),
            _ => Err(Errno::ENOTTY),
        }
    }

    /// Takes a handle out. The file is released when the return value is dropped.
    pub(super) fn remove(&self, fh: u64) -> Result<Arc<Opened>> {
        let removed = self.table.write().remove(&fh).ok_or(Errno::EBADF);
        self.closed.wake_all();
        removed
    }

    /// Waits until no node has an open file, for at most `limit`. Returns who opened those that there are.
    pub(super) fn wait_for_close(&self, limit: Duration) -> Vec<Client> {
        let opened_by = || {
            let table = self.table.read();
            let nodes =
                table.values().filter_map(|opened| if let Opened::Node(file) = &**opened { Some(file) } else { None });
            nodes.filter_map(|file| file.client).collect::<Vec<_>>()
        };
        match self.closed.wait_event(Some(limit), || opened_by().is_empty().then_some(())) {
            Ok(Some(())) => Vec::new(),
            _ => opened_by(),
        }
    }

    /// Takes all handles out.
    pub(super) fn take_all(&self) -> Vec<Arc<Opened>> {
        std::mem::take(&mut *self.table.write()).into_values().collect()
    }
}

/// An open file of a node.
pub(super) struct NodeFile {
    file: Arc<OpenFile>,
    /// Who opened it.
    client: Option<Client>,
    poller: Arc<FilePoller>,
    /// Whether the kernel keeps no position for it.
    stream: bool,
    mapped: Option<Arc<Mapped>>,
}

impl NodeFile {
    pub(super) fn new(file: Arc<OpenFile>, mapped: Option<Arc<Mapped>>, channel: &Weak<dyn Kernel>) -> Self {
        let poller =
            Arc::new(FilePoller { channel: channel.clone(), kh: AtomicU64::new(0), armed: AtomicBool::new(false) });
        let stream = mapped.as_ref().is_none_or(|mapped| mapped.backing().is_none());
        Self { file, client: Request::current().client(), poller, stream, mapped }
    }

    /// What the kernel is told at open.
    pub(super) fn open_out(&self) -> OpenOut {
        // Each read and write reaches the driver as it was called, and writers do not wait for one another.
        let direct = FOPEN_DIRECT_IO | FOPEN_PARALLEL_DIRECT_WRITES;
        // A close that asks for nothing waits for nobody: a server that has its own node open could never end.
        let direct = if self.file.has_flush() { direct } else { direct | FOPEN_NOFLUSH };
        match self.mapped.as_ref().and_then(|mapped| mapped.backing()) {
            // The kernel takes no further flag with this one.
            Some(backing_id) => OpenOut { fh: 0, open_flags: direct | FOPEN_PASSTHROUGH, backing_id },
            // As a character device: no position, and no lock that callers of one file wait for.
            None => OpenOut { fh: 0, open_flags: direct | FOPEN_NONSEEKABLE | FOPEN_STREAM, backing_id: 0 },
        }
    }

    pub(super) fn read(&self, args: &fuse_read_in, reply: &mut Reply) -> Result {
        // The kernel asks for no more.
        let room = reply.room(args.size.min(MAX_WRITE) as usize)?;
        let read = match self.file.node().memory() {
            // A page fault of a mapping. No driver runs, and no lock of one is taken.
            Some(memory) if is_for_cache(args) && self.is_cached() => page_in(memory, args.offset, room)?,
            // sendfile(2) or splice(2): a device cannot do that, and programs fall back to read(2). Or a page fault where
            // nothing can be mapped, and the client gets SIGBUS.
            _ if is_for_cache(args) => return Err(Errno::EINVAL),
            _ => {
                self.file.set_flags(OpenFlags::from_bits(args.flags));
                if self.stream { self.file.read(room)? } else { self.file.read_at(room, args.offset)? }
            }
        };
        reply.took(read);
        Ok(())
    }

    /// Whether its mappings show the page cache.
    fn is_cached(&self) -> bool {
        self.mapped.as_ref().is_some_and(|mapped| mapped.backing().is_none())
    }

    pub(super) fn write(&self, args: &fuse_write_in, data: &[u8]) -> Result<usize> {
        match self.file.node().memory() {
            // Written through a mapping.
            Some(memory) if args.write_flags & FUSE_WRITE_CACHE != 0 => {
                let len = memory.len().saturating_sub(args.offset).min(data.len() as u64) as usize;
                memory.write_at(args.offset, &data[..len])?;
                Ok(data.len())
            }
            _ => {
                self.file.set_flags(OpenFlags::from_bits(args.flags));
                if self.stream { self.file.write(data) } else { self.file.write_at(data, args.offset) }
            }
        }
    }

    pub(super) fn ioctl(&self, args: &fuse_ioctl_in, data: &[u8], caller: &Caller<'_>, reply: &mut Reply) -> Result {
        let command = Command::from_raw(args.cmd);
        let size = |copied: bool| if copied { command.size() } else { 0 };
        let copied_out = size(command.direction().copies_out());
        // The kernel copies what the command says, no more and no less, unless it is not the kernel.
        if args.flags & FUSE_IOCTL_UNRESTRICTED != 0
            || data.len() != size(command.direction().copies_in())
            || args.out_size as usize != copied_out
        {
            return Err(Errno::EINVAL);
        }
        let mut argument = vec![0; command.size()];
        argument[..data.len()].copy_from_slice(data);
        let arg = IoctlArg::new(args.arg as usize, &mut argument).with_user(caller);
        let result = if args.flags & FUSE_IOCTL_COMPAT != 0 {
            self.file.compat_ioctl(command, arg)?
        } else {
            self.file.ioctl(command, arg)?
        };
        reply.put(&fuse_ioctl_out { result, ..Default::default() });
        reply.extend(&argument[..copied_out]);
        Ok(())
    }

    pub(super) fn poll(&self, args: &fuse_poll_in) -> fuse_poll_out {
        let poller = (args.flags & FUSE_POLL_SCHEDULE_NOTIFY != 0).then(|| {
            self.poller.kh.store(args.kh, SeqCst);
            // Before the driver looks at its state: what changes after that is notified.
            self.poller.armed.store(true, SeqCst);
            self.poller.clone() as Arc<dyn Poller>
        });
        fuse_poll_out {
            revents: self.file.poll(PollEvents::from_bits(args.events), poller.as_ref()).bits(),
            padding: 0,
        }
    }

    pub(super) fn lseek(&self, args: &fuse_lseek_in) -> Result<u64> {
        const SEEK_DATA: u32 = 3;
        const SEEK_HOLE: u32 = 4;
        self.file.llseek(match args.whence {
            0 => SeekFrom::Start(args.offset),
            1 => SeekFrom::Current(args.offset.cast_signed()),
            2 => SeekFrom::End(args.offset.cast_signed()),
            SEEK_DATA => SeekFrom::Data(args.offset),
            SEEK_HOLE => SeekFrom::Hole(args.offset),
            _ => return Err(Errno::EINVAL),
        })
    }

    pub(super) fn flush(&self) -> Result {
        self.file.flush()
    }

    pub(super) fn fsync(&self, datasync: bool) -> Result {
        self.file.fsync(datasync)
    }
}

/// Whether a read fills the page cache: it is nobody's read(2).
pub(super) const fn is_for_cache(args: &fuse_read_in) -> bool {
    args.read_flags & FUSE_READ_LOCKOWNER == 0
}

fn page_in(memory: &BufferMemory, offset: u64, room: &mut [u8]) -> Result<usize> {
    let len = memory.len().saturating_sub(offset).min(room.len() as u64) as usize;
    memory.read_at(offset, &mut room[..len])?;
    Ok(len)
}

/// Whoever sleeps in poll on one open file.
///
/// One for the life of the file, since all its sleepers share the kernel's handle: one that made way for the
/// next would take the wake-up of those who still sleep along.
struct FilePoller {
    channel: Weak<dyn Kernel>,
    /// The kernel's handle; the same at each poll of the file.
    kh: AtomicU64,
    /// Whether somebody has asked since the last notification.
    armed: AtomicBool,
}

impl Poller for FilePoller {
    fn wake(&self) {
        // A poll that comes in between arms it again and sees the new state; the notification is one too many.
        if self.armed.swap(false, SeqCst)
            && let Some(channel) = self.channel.upgrade()
        {
            channel.notify_poll(self.kh.load(SeqCst));
        }
    }
}
