//! Requests answered: from the parsed request to the file or name that it is about.
use super::abi::*;
use super::caller::{Caller, numbers_agree};
use super::channel::Kernel;
use super::entry::Entry;
use super::files::{Files, NodeFile, Opened, is_for_cache};
use super::in_flight::{InFlight, Interrupted};
use super::keeper::Keeper;
use super::mapping::Mappings;
use super::reply::Reply;
use super::request::{Malformed, Operation, Parsed, parse};
use super::tree::Tree;
use crate::bus::removal::Removal;
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Client, Errno, OpenFlags, Request, Result, catch_panic};
use std::sync::{Arc, Weak};

/// What is served.
pub(super) struct Service {
    pub(super) tree: Tree,
    pub(super) files: Files,
    pub(super) mappings: Mappings,
    /// Whether the callers that requests name can be found.
    callers: Result<(), &'static str>,
    pub(super) in_flight: Arc<InFlight>,
    pub(super) keeper: Keeper,
}

/// What a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: it does not sleep.
    Nothing,
    /// A thread, or it is refused.
    Thread {
        /// Whether it counts for its user's share.
        counted: bool,
    },
    /// A thread, and it cannot be refused.
    Always,
}

impl Need {
    pub(super) fn is_counted(self) -> bool {
        self == Self::Thread { counted: true }
    }
}

/// What a request gets.
#[derive(PartialEq, Eq)]
enum Answer {
    /// What is in the reply.
    Reply,
    /// Nothing: the kernel waits for none.
    Silence,
    /// It is given by somebody else.
    Later,
}

impl Service {
    pub(super) fn new(tree: Tree, mappings: Mappings) -> Self {
        Self {
            tree,
            files: Files::default(),
            mappings,
            callers: numbers_agree(),
            in_flight: Arc::default(),
            keeper: Keeper::default(),
        }
    }

    /// Looks at a request: what it needs, and from whom it is. From here on interrupts find it. One that makes no sense is
    /// refused here.
    pub(super) fn look(
        &self,
        channel: &Weak<dyn Kernel>,
        bytes: &[u8],
        reply: &mut Reply,
    ) -> Option<(Need, fuse_in_header)> {
        let parsed = match parse(bytes) {
            Ok(parsed) => parsed,
            Err(malformed) => {
                refuse(malformed, channel, reply);
                return None;
            }
        };
        let header = parsed.header;
        let need = self.need(&parsed);
        if need != Need::Nothing {
            // An interrupt that is read by another worker from here on is kept; one before is sent again.
            self.in_flight.begin(header.unique, request_of(&header));
        }
        Some((need, header))
    }

    fn need(&self, parsed: &Parsed<'_>) -> Need {
        let node = |fh, need| match self.files.get(fh).as_deref() {
            Ok(Opened::Node(_)) => need,
            _ => Need::Nothing,
        };
        let counted = Need::Thread { counted: true };
        match parsed.operation {
            Operation::Open(_) if self.tree.is_node(parsed.header.nodeid) => counted,
            // A page of a mapping, in both: no driver runs, and the driver may wait for the page.
            Operation::Read(args) if is_for_cache(&args) => Need::Nothing,
            Operation::Write { args, .. } if args.write_flags & FUSE_WRITE_CACHE != 0 => Need::Nothing,
            Operation::Read(args) => node(args.fh, counted),
            Operation::Write { args, .. } => match self.files.get(args.fh).as_deref() {
                Ok(Opened::Node(_)) => counted,
                Ok(Opened::Attribute(attribute)) if attribute.may_sleep() => Need::Always,
                _ => Need::Nothing,
            },
            Operation::Ioctl { args, .. } => node(args.fh, counted),
            Operation::Lseek(args) => node(args.fh, counted),
            Operation::Fsync { fh, .. } => node(fh, counted),
            Operation::Poll(args) => node(args.fh, Need::Thread { counted: false }),
            Operation::Flush { fh } => node(fh, Need::Thread { counted: false }),
            Operation::Release { fh } => node(fh, Need::Always),
            _ => Need::Nothing,
        }
    }

    /// Serves one request, on this thread. `served` is called before the answer is sent: nothing sleeps from there on.
    /// Returns whether that is all: not if something else answers it later.
    pub(super) fn handle(
        &self,
        channel: &Weak<dyn Kernel>,
        bytes: &[u8],
        reply: &mut Reply,
        served: impl FnOnce(),
    ) -> bool {
        reply.clear();
        let parsed = match parse(bytes) {
            Ok(parsed) => parsed,
            Err(malformed) => {
                served();
                refuse(malformed, channel, reply);
                return true;
            }
        };
        let header = parsed.header;
        let request = self.in_flight.served(header.unique).unwrap_or_else(|| {
            let request = request_of(&header);
            self.in_flight.begin(header.unique, request.clone());
            request
        });
        let serve = || request.run(|| self.serve(channel, &parsed, reply));
        let answer = catch_panic(serve).unwrap_or_else(|| {
            log!(error, "fuse: request {} of {} panicked; it gets EIO", header.opcode, header.pid);
            Err(Errno::EIO)
        });
        served();
        if answer == Ok(Answer::Later) {
            return false;
        }
        if answer != Ok(Answer::Silence) {
            send(channel, reply.finish(header.unique, answer.map(|_| ())));
        }
        // After the reply, so that a late interrupt is not sent again and again.
        self.in_flight.end(header.unique);
        reply.clear();
        true
    }

    /// Answers a request that can have no thread.
    pub(super) fn refuse(&self, channel: &Weak<dyn Kernel>, bytes: &[u8], errno: Errno, reply: &mut Reply) {
        let Ok(Parsed { header, operation }) = parse(bytes) else { return };
        reply.clear();
        match operation {
            // An error would look as if the device were gone, and ENOSYS would end polling for good. Nothing is there now;
            // the caller asks again soon.
            Operation::Poll(args) => {
                reply.put(&fuse_poll_out::default());
                send(channel, reply.finish(header.unique, Ok(())));
                if args.flags & FUSE_POLL_SCHEDULE_NOTIFY != 0 {
                    self.keeper.refused_poll(args.kh);
                }
            }
            _ => send(channel, reply.finish(header.unique, Err(errno))),
        }
        self.in_flight.end(header.unique);
    }

    /// A signal comes for every request.
    pub(super) fn interrupt_all(&self, channel: &Weak<dyn Kernel>) {
        self.in_flight.interrupt_all(channel);
    }

    fn serve(&self, channel: &Weak<dyn Kernel>, parsed: &Parsed<'_>, reply: &mut Reply) -> Result<Answer> {
        let nodeid = parsed.header.nodeid;
        match parsed.operation {
            Operation::Lookup { name } => reply.put(&self.tree.lookup(nodeid, name)?),
            Operation::Forget { lookups } => {
                self.tree.forget(nodeid, lookups);
                return Ok(Answer::Silence);
            }
            Operation::BatchForget(forgets) => {
                for (nodeid, lookups) in forgets.iter() {
                    self.tree.forget(nodeid, lookups);
                }
                return Ok(Answer::Silence);
            }
            Operation::Getattr => reply.put(&self.tree.getattr(nodeid)?),
            Operation::Setattr(args) => {
                // Truncation by `echo >` and new times go unheeded, as on a device node.
                if args.valid & (FATTR_MODE | FATTR_UID | FATTR_GID) != 0 {
                    return Err(Errno::EPERM);
                }
                reply.put(&self.tree.getattr(nodeid)?);
            }
            Operation::Readlink => match self.tree.get(nodeid)?.1 {
                Entry::Link(target) => reply.extend(target.as_bytes()),
                _ => return Err(Errno::EINVAL),
            },
            Operation::Open(args) => reply.put(&self.open(channel, nodeid, args.flags)?),
            Operation::Opendir => {
                let fh = self.files.insert(Opened::Directory(Lock::new(self.tree.list(nodeid)?)));
                reply.put(&OpenOut { fh, ..OpenOut::default() });
            }
            Operation::Readdir(args) => match &*self.files.get(args.fh)? {
                Opened::Directory(list) => {
                    // From the start again, as rewinddir(3) asks: what there is now.
                    if args.offset == 0 {
                        let now = self.tree.list(nodeid)?;
                        *list.lock() = now;
                    }
                    list_directory(&list.lock(), &args, reply);
                }
                _ => return Err(Errno::ENOTDIR),
            },
            Operation::Release { fh } | Operation::Releasedir { fh } => drop(self.files.remove(fh)?),
            Operation::Read(args) => match &*self.files.get(args.fh)? {
                Opened::Node(file) => file.read(&args, reply)?,
                // As a node: sendfile(2) would show the whole page.
                Opened::Text(_) if is_for_cache(&args) => return Err(Errno::EINVAL),
                Opened::Text(text) => reply.extend(part(text.as_bytes(), args.offset, args.size)),
                Opened::Attribute(_) => return Err(Errno::EINVAL),
                Opened::Directory(_) => return Err(Errno::EISDIR),
            },
            Operation::Write { args, data } => {
                let written = match &*self.files.get(args.fh)? {
                    Opened::Node(file) => file.write(&args, data)?,
                    Opened::Attribute(attribute) => match attribute.write(self.tree.bus(), data)? {
                        None => data.len(),
                        Some(removal) => {
                            self.answer_when_done(&removal, channel, &parsed.header, data.len());
                            return Ok(Answer::Later);
                        }
                    },
                    Opened::Text(_) | Opened::Directory(_) => return Err(Errno::EINVAL),
                };
                reply.put(&fuse_write_out { size: written as u32, padding: 0 });
            }
            Operation::Ioctl { args, data } => {
                let caller = Caller::new(self.callers, parsed.header.pid, parsed.header.uid, channel);
                self.files.node(args.fh, |file| file.ioctl(&args, data, &caller, reply))?;
            }
            Operation::Poll(args) => reply.put(&match &*self.files.get(args.fh)? {
                Opened::Node(file) => file.poll(&args),
                _ => fuse_poll_out { revents: fops_runtime::PollEvents::DEFAULT.bits(), padding: 0 },
            }),
            Operation::Lseek(args) => {
                let offset = self.files.node(args.fh, |file| file.lseek(&args))?;
                reply.put(&fuse_lseek_out { offset });
            }
            Operation::Flush { fh } => {
                if let Opened::Node(file) = &*self.files.get(fh)? {
                    file.flush()?;
                }
            }
            Operation::Fsync { fh, datasync } => match &*self.files.get(fh)? {
                Opened::Node(file) => file.fsync(datasync)?,
                _ => return Err(Errno::EINVAL),
            },
            Operation::Statfs => {
                let st = fuse_kstatfs { bsize: 4096, frsize: 4096, namelen: 255, ..Default::default() };
                reply.put(&fuse_statfs_out { st });
            }
            Operation::Interrupt { unique } => return self.interrupt(unique),
            // The kernel checks modes itself, and asks for nothing after this.
            Operation::Access | Operation::Destroy => {}
            Operation::Modify => return Err(Errno::EPERM),
            Operation::Init { .. } => {
                log!(warn, "fuse: the kernel says hello a second time");
                return Err(Errno::EPROTO);
            }
            Operation::Unknown => {
                log!(debug, "fuse: the kernel asks for operation {}; it gets ENOSYS", parsed.header.opcode);
                return Err(Errno::ENOSYS);
            }
        }
        Ok(Answer::Reply)
    }

    fn open(&self, channel: &Weak<dyn Kernel>, nodeid: u64, flags: u32) -> Result<OpenOut> {
        let (opened, out) = match self.tree.get(nodeid)?.1 {
            Entry::Node(node) => {
                let file = node.open(OpenFlags::from_bits(flags))?;
                let mapped = self.mappings.of(&node, nodeid, channel);
                let file = NodeFile::new(file, mapped, channel);
                let out = file.open_out();
                (Opened::Node(file), out)
            }
            Entry::Text(text) => (Opened::Text(text), OpenOut { open_flags: FOPEN_DIRECT_IO, ..OpenOut::default() }),
            Entry::Attribute(attribute) => {
                // A close does not wait for a write that waits.
                let open_flags = FOPEN_DIRECT_IO | FOPEN_NONSEEKABLE | FOPEN_STREAM | FOPEN_NOFLUSH;
                let open_flags = open_flags | FOPEN_PARALLEL_DIRECT_WRITES;
                (Opened::Attribute(attribute), OpenOut { open_flags, ..OpenOut::default() })
            }
            Entry::Directory => return Err(Errno::EISDIR),
            Entry::Link(_) => return Err(Errno::EINVAL),
        };
        Ok(OpenOut { fh: self.files.insert(opened), ..out })
    }

    /// The writer of an attribute waits for a removal, and no thread does: the end of the removal answers it.
    fn answer_when_done(&self, removal: &Removal, channel: &Weak<dyn Kernel>, header: &fuse_in_header, written: usize) {
        let unique = header.unique;
        let thread = self.caller(header.pid);
        if self.in_flight.park(unique, thread) {
            self.keeper.interrupted(unique, thread);
        }
        let (channel, in_flight) = (channel.clone(), self.in_flight.clone());
        removal.when_done(move |result| {
            if in_flight.end(unique) {
                let mut reply = Reply::new();
                reply.put(&fuse_write_out { size: written as u32, padding: 0 });
                send(&channel, reply.finish(unique, result));
            }
        });
    }

    /// `FUSE_INTERRUPT`: a signal has come for the caller of request `unique`.
    fn interrupt(&self, unique: u64) -> Result<Answer> {
        match self.in_flight.interrupt(unique) {
            Interrupted::Served => Ok(Answer::Silence),
            Interrupted::Parked(thread) => {
                self.keeper.interrupted(unique, thread);
                Ok(Answer::Silence)
            }
            // Its worker has read it and not come so far, or has answered: the kernel sends this again if it
            // still waits.
            Interrupted::Unknown => Err(Errno::EAGAIN),
        }
    }

    /// The calling thread, if it can be found by its number.
    fn caller(&self, thread: u32) -> Option<u32> {
        (self.callers.is_ok() && thread != 0).then_some(thread)
    }
}

fn request_of(header: &fuse_in_header) -> Arc<Request> {
    Request::new((header.pid != 0).then_some(Client::new(header.pid, header.uid, header.gid)))
}

/// Replies, unless the channel was closed meanwhile: then the caller has its error.
fn send(channel: &Weak<dyn Kernel>, bytes: &[u8]) {
    if let Some(channel) = channel.upgrade() {
        channel.reply(bytes);
    }
}

fn refuse(malformed: Malformed, channel: &Weak<dyn Kernel>, reply: &mut Reply) {
    let Malformed { unique, opcode, reason } = malformed;
    log!(warn, "fuse: refused a request: {reason} (operation {opcode:?}, number {unique:?})");
    if let Some(unique) = unique {
        send(channel, reply.finish(unique, Err(Errno::EINVAL)));
    }
}

/// At most `size` bytes from `offset`.
fn part(bytes: &[u8], offset: u64, size: u32) -> &[u8] {
    let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    &rest[..rest.len().min(size as usize)]
}

/// As many entries as fit.
fn list_directory(list: &[(u64, u32, String)], args: &fuse_read_in, reply: &mut Reply) {
    let first = usize::try_from(args.offset).unwrap_or(usize::MAX);
    for (at, (ino, kind, name)) in list.iter().enumerate().skip(first) {
        let header = fuse_dirent {
            ino: *ino,
            // Where to go on.
            off: at as u64 + 1,
            namelen: name.len() as u32,
            typ: kind >> 12,
            name: [],
        };
        let len = size_of::<fuse_dirent>() + name.len();
        if reply.len() + len.next_multiple_of(8) > args.size as usize {
            break;
        }
        reply.put(&header);
        reply.extend(name.as_bytes());
        reply.extend(&[0; 7][..len.next_multiple_of(8) - len]);
    }
}
