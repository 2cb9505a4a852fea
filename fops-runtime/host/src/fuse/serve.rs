//! Requests answered: from the parsed request to the file or name that it is about.
use super::abi::*;
use super::caller::{Caller, numbers_agree};
use super::channel::Kernel;
use super::entry::Entry;
use super::files::{Files, NodeFile, Opened};
use super::mapping::Mappings;
use super::reply::Reply;
use super::request::{Malformed, Operation, Parsed, parse};
use super::tree::Tree;
use crate::lock::Lock;
use fops_runtime::{Client, Errno, OpenFlags, Request, Result};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, MutexGuard, Weak};

/// What is served.
pub(super) struct Service {
    pub(super) tree: Tree,
    pub(super) files: Files,
    pub(super) mappings: Mappings,
    /// Whether the callers that requests name can be found.
    callers: Result<(), &'static str>,
    /// The requests that have been read and not been answered, by number.
    in_flight: Lock<HashMap<u64, Arc<Request>>>,
}

/// What a request gets.
#[derive(PartialEq, Eq)]
enum Answer {
    /// What is in the reply.
    Reply,
    /// Nothing: the kernel waits for none.
    Silence,
}

impl Service {
    pub(super) fn new(tree: Tree, mappings: Mappings) -> Self {
        Self { tree, files: Files::default(), mappings, callers: numbers_agree(), in_flight: Lock::default() }
    }

    /// Answers one request, on this thread.
    pub(super) fn handle(&self, channel: &Weak<dyn Kernel>, bytes: &[u8], reply: &mut Reply) {
        reply.clear();
        let parsed = match parse(bytes) {
            Ok(parsed) => parsed,
            Err(malformed) => return refuse(malformed, channel, reply),
        };
        let header = parsed.header;
        let client = Client::new(header.pid, header.uid, header.gid);
        let request = Request::new((header.pid != 0).then_some(client));
        // An interrupt that is read by another worker from here on is kept; one before is sent again.
        self.in_flight().insert(header.unique, request.clone());
        let serve = || request.run(|| self.serve(channel, &parsed, reply));
        let answer = catch_unwind(AssertUnwindSafe(serve)).unwrap_or_else(|_| {
            tracing::error!("fuse: request {} of {client} panicked; it gets EIO", header.opcode);
            Err(Errno::EIO)
        });
        if answer != Ok(Answer::Silence) {
            send(channel, reply.finish(header.unique, answer.map(|_| ())));
        }
        // After the reply, so that a late interrupt is not sent again and again.
        self.in_flight().remove(&header.unique);
    }

    /// A signal comes for every request.
    pub(super) fn interrupt_all(&self) {
        for request in self.in_flight().values() {
            request.interrupt();
        }
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
                let fh = self.files.insert(Opened::Directory(self.tree.list(nodeid)?));
                reply.put(&OpenOut { fh, ..OpenOut::default() });
            }
            Operation::Readdir(args) => match &*self.files.get(args.fh)? {
                Opened::Directory(list) => list_directory(list, &args, reply),
                _ => return Err(Errno::ENOTDIR),
            },
            Operation::Release { fh } | Operation::Releasedir { fh } => drop(self.files.remove(fh)?),
            Operation::Read(args) => match &*self.files.get(args.fh)? {
                Opened::Node(file) => file.read(&args, reply)?,
                Opened::Text(text) => reply.extend(part(text.as_bytes(), args.offset, args.size)),
                Opened::Attribute(_) => return Err(Errno::EINVAL),
                Opened::Directory(_) => return Err(Errno::EISDIR),
            },
            Operation::Write { args, data } => {
                let written = match &*self.files.get(args.fh)? {
                    Opened::Node(file) => file.write(&args, data)?,
                    Opened::Attribute(attribute) => {
                        attribute.write(self.tree.bus(), data)?;
                        data.len()
                    }
                    Opened::Text(_) | Opened::Directory(_) => return Err(Errno::EINVAL),
                };
                reply.put(&fuse_write_out { size: written as u32, padding: 0 });
            }
            Operation::Ioctl { args, data } => {
                let caller = Caller::new(self.callers, parsed.header.pid, channel);
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
                tracing::warn!("fuse: the kernel says hello a second time");
                return Err(Errno::EPROTO);
            }
            Operation::Unknown => {
                tracing::debug!("fuse: the kernel asks for operation {}; it gets ENOSYS", parsed.header.opcode);
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

    /// `FUSE_INTERRUPT`: a signal has come for the caller of request `unique`.
    fn interrupt(&self, unique: u64) -> Result<Answer> {
        match self.in_flight().get(&unique) {
            Some(request) => {
                request.interrupt();
                Ok(Answer::Silence)
            }
            // Its worker has read it and not come so far, or has answered: the kernel sends this again if it
            // still waits.
            None => Err(Errno::EAGAIN),
        }
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<u64, Arc<Request>>> {
        // Nothing panics under it.
        self.in_flight.lock()
    }
}

/// Replies, unless the channel was closed meanwhile: then the caller has its error.
fn send(channel: &Weak<dyn Kernel>, bytes: &[u8]) {
    if let Some(channel) = channel.upgrade() {
        channel.reply(bytes);
    }
}

fn refuse(malformed: Malformed, channel: &Weak<dyn Kernel>, reply: &mut Reply) {
    let Malformed { unique, opcode, reason } = malformed;
    tracing::warn!("fuse: refused a request: {reason} (operation {opcode:?}, number {unique:?})");
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
