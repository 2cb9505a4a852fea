//! Whole requests without a kernel: bytes are parsed, run on a tree with a device, and answered; and every answer is
//! checked. The fuzz target and the tests run the same [`check`].
mod device;
mod script;
#[cfg(test)]
mod tests;

use super::abi::*;
use super::channel::Kernel;
use super::mapping::{Mappings, Mmap};
use super::reply::Reply;
use super::serve::Service;
use super::tree::{Owner, Tree};
use crate::bus::bus_type::Bus;
use crate::lock::Lock;
use crate::nodes::devices::Devices;
use crate::nodes::kind::NodeKind;
use device::{Counts, Drivers};
use fops_runtime::{Errno, Result};
use rustix::fd::BorrowedFd;
use script::Script;
use std::sync::{Arc, Weak};
use zerocopy::{FromBytes, IntoBytes};

/// A kernel that keeps what it is told.
#[derive(Default)]
struct Recorder {
    replies: Lock<Vec<Vec<u8>>>,
}

impl Recorder {
    fn take(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.replies.lock())
    }
}

impl Kernel for Recorder {
    fn reply(&self, bytes: &[u8]) {
        self.replies.lock().push(bytes.to_vec());
    }

    fn notify(&self, code: u32, parts: &[&[u8]]) {
        let known = matches!(code, FUSE_NOTIFY_POLL | FUSE_NOTIFY_STORE);
        assert!(known && !parts.is_empty(), "notification {code} of {} parts", parts.len());
    }

    fn is_waiting(&self) -> bool {
        true
    }

    fn backing_open(&self, _: BorrowedFd<'_>) -> Result<u32> {
        Err(Errno::EOPNOTSUPP)
    }

    fn backing_close(&self, _: u32) {}
}

/// What the device has.
const NODES: [&str; 2] = ["dev/mapped0", "dev/plain0"];

/// A service with one device, and the kernel's side of its channel.
struct Rig {
    bus: Arc<Bus>,
    counts: Arc<Counts>,
    service: Service,
    recorder: Arc<Recorder>,
    kernel: Weak<dyn Kernel>,
}

impl Rig {
    fn new() -> Self {
        let (bus, counts) = (Bus::new("b", Devices::new()), Arc::new(Counts::default()));
        bus.devices().add_kind(NodeKind::class("plain", "c", 81, 0));
        bus.devices().add_kind(NodeKind::bus("mapped", "m", 82, 0));
        let made = bus.register_driver(Drivers(counts.clone())).and_then(|()| bus.add_device("d0"));
        made.and_then(|()| bus.bind("d", "d0")).expect("a new bus takes a driver and a device");
        let owner = Owner { uid: 0, gid: 0, allow_other: false };
        let tree = Tree::new(bus.clone(), owner);
        let service = Service::new(tree, Mappings::new(Mmap::PageCache));
        let recorder = Arc::new(Recorder::default());
        let weak = Arc::downgrade(&recorder);
        Self { bus, counts, service, recorder, kernel: weak }
    }

    /// Has the request answered, on this thread.
    fn handle(&self, bytes: &[u8], reply: &mut Reply) -> Vec<Vec<u8>> {
        if self.service.look(&self.kernel, bytes, reply).is_some() {
            let mut sent = None;
            let served = || sent = Some(self.recorder.replies.lock().len());
            if self.service.handle(&self.kernel, bytes, reply, served) {
                assert_eq!(sent, Some(0), "an operation ends before its answer is sent");
            } else {
                // The answer to a removal is given when that is done.
                while self.recorder.replies.lock().is_empty() {
                    std::thread::yield_now();
                }
            }
        }
        self.recorder.take()
    }

    /// The answer to one request.
    fn ask(&self, opcode: u32, unique: u64, nodeid: u64, body: &[u8]) -> (i32, Vec<u8>) {
        let bytes = request(opcode, unique, nodeid, body);
        let replies = self.handle(&bytes, &mut Reply::new());
        verify(&bytes, &replies).map(|(error, body)| (error, body.to_vec())).expect("an answer")
    }

    fn lookup(&self, path: &str) -> u64 {
        path.split('/').fold(1, |nodeid, name| {
            let (error, body) = self.ask(FUSE_LOOKUP, 2, nodeid, format!("{name}\0").as_bytes());
            assert_eq!(error, 0, "{name} of {path}");
            fuse_entry_out::read_from_prefix(&body).map(|(out, _)| out.nodeid).unwrap_or_else(|_| panic!("no entry"))
        })
    }

    fn open(&self, path: &str) -> u64 {
        let args = fuse_open_in { flags: 2, ..Default::default() };
        let (error, body) = self.ask(FUSE_OPEN, 4, self.lookup(path), args.as_bytes());
        assert_eq!(error, 0, "{path}");
        OpenOut::read_from_prefix(&body).map(|(out, _)| out.fh).unwrap_or_else(|_| panic!("no file"))
    }
}

/// A request of a caller in this process.
fn request(opcode: u32, unique: u64, nodeid: u64, body: &[u8]) -> Vec<u8> {
    let len = (size_of::<fuse_in_header>() + body.len()) as u32;
    let header = fuse_in_header { len, opcode, unique, nodeid, pid: std::process::id(), ..Default::default() };
    [header.as_bytes(), body].concat()
}

/// The answer to `request` is one that the kernel takes, or there is none where it takes none. Returns its error number
/// and what comes after the header.
///
/// # Panics
/// Where that is not so.
fn verify<'a>(request: &[u8], replies: &'a [Vec<u8>]) -> Option<(i32, &'a [u8])> {
    let header = fuse_in_header::read_from_prefix(request).map(|(header, _)| header).ok();
    let header =
        header.filter(|header| header.unique != 0 && !matches!(header.opcode, FUSE_FORGET | FUSE_BATCH_FORGET));
    let Some(header) = header else {
        assert!(replies.is_empty(), "an answer that nobody waits for");
        return None;
    };
    let reply = match replies {
        [reply] => reply,
        // What it interrupts has been told.
        [] if header.opcode == FUSE_INTERRUPT => return None,
        replies => panic!("{} answers to operation {}", replies.len(), header.opcode),
    };
    let (out, rest) = fuse_out_header::read_from_prefix(reply).unwrap_or_else(|_| panic!("{} bytes", reply.len()));
    assert_eq!((out.len as usize, out.unique), (reply.len(), header.unique), "operation {}", header.opcode);
    // The kernel takes no others (`fuse_dev_do_write`), and the caller would wait for ever.
    assert!((-511..=0).contains(&out.error), "error {} of operation {}", out.error, header.opcode);
    assert!(out.error == 0 || rest.is_empty(), "an error with {} bytes", rest.len());
    if out.error == 0 {
        assert!(fits(&header, request, rest.len()), "operation {} has {} bytes", header.opcode, rest.len());
    }
    Some((out.error, rest))
}

/// Whether so many bytes are what the kernel expects after the header.
fn fits(header: &fuse_in_header, request: &[u8], len: usize) -> bool {
    let args = &request[size_of::<fuse_in_header>()..];
    match header.opcode {
        FUSE_LOOKUP => len == size_of::<fuse_entry_out>(),
        FUSE_GETATTR | FUSE_SETATTR => len == size_of::<fuse_attr_out>(),
        FUSE_READLINK => len > 0 && len < 4096,
        FUSE_OPEN | FUSE_OPENDIR => len == size_of::<OpenOut>(),
        FUSE_READ | FUSE_READDIR => {
            fuse_read_in::read_from_prefix(args).is_ok_and(|(args, _)| len <= args.size as usize)
        }
        FUSE_WRITE => len == size_of::<fuse_write_out>(),
        FUSE_STATFS => len == size_of::<fuse_statfs_out>(),
        FUSE_POLL => len == size_of::<fuse_poll_out>(),
        FUSE_LSEEK => len == size_of::<fuse_lseek_out>(),
        FUSE_IOCTL => fuse_ioctl_in::read_from_prefix(args)
            .is_ok_and(|(args, _)| len == size_of::<fuse_ioctl_out>() + args.out_size as usize),
        _ => len == 0,
    }
}

/// Answers what `input` says, a request after the other: no panic, no hang, one answer to each that the kernel takes, no
/// more memory than the largest request, and each file released once.
///
/// # Panics
/// Where that is not so.
pub fn check(input: &[u8]) {
    let rig = Rig::new();
    let mut reply = Reply::new();
    // There is something of each kind to speak of, though few inputs would find the way to it.
    let driver = "sys/bus/b/drivers/d";
    let names = [driver, &format!("{driver}/d0"), "sys/bus/b/devices", "dev"];
    let texts = ["sys/dev/char/0:0/uevent", &format!("{driver}/bind"), &format!("{driver}/unbind")];
    let nodeids = names.iter().chain(&texts).chain(&NODES).map(|path| rig.lookup(path)).collect();
    let files = texts.iter().chain(&NODES).chain(&NODES).map(|path| rig.open(path)).collect();
    let mut script = Script::new(input, nodeids, files);
    while let Some(request) = script.next_request() {
        let replies = rig.handle(&request, &mut reply);
        if let Some((error, body)) = verify(&request, &replies) {
            script.answered(&request, error, body);
        }
        assert!(reply.capacity() <= super::abi::BUFFER, "a reply of {} bytes", reply.capacity());
    }
    drop(rig.service.files.take_all());
    assert!(rig.bus.devices().all().iter().all(|node| node.open_files() == 0 && node.running() == 0));
    rig.counts.assert_released();
}
