//! A filesystem of the crate fuser, guarded: one impl serves three devices, and replies wait on another thread.
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use fops_runtime::{Access, Cause, DeviceLifetime, Guarded, OpTable, Policy, Unplug, guarded_fops};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier, ReplyAttr, ReplyData, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyPoll, ReplyWrite, Request, Session, WriteFlags,
};
use rustix::event::{PollFd, PollFlags as Ready, Timespec, poll};
use rustix::io::Errno as Error;
use system_tests::{Sleeper, eventually};

const ENODEV: Error = Error::NODEV;
const ENXIO: Error = Error::NXIO;

/// What dies with a sensor.
struct Hw {
    name: &'static str,
}

/// A sensor: a read of its file waits until it is triggered.
struct Sensor {
    lifetime: DeviceLifetime<Hw>,
    parked: Mutex<Vec<ReplyData>>,
    /// Releases with access and without.
    released: [AtomicU32; 2],
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl Sensor {
    /// Answers one read, on whichever thread.
    #[fop(guarded, unplugged = reply.error(Errno::ENODEV))]
    fn complete(&self, #[access] hw: &Access<'_, Hw>, reply: ReplyData) {
        reply.data(hw.name.as_bytes());
    }
}

impl Sensor {
    fn new(name: &'static str) -> Arc<Self> {
        let lifetime = DeviceLifetime::new(Hw { name });
        Arc::new(Self { lifetime, parked: Mutex::default(), released: Default::default() })
    }

    /// Answers the reads that are parked: with data, or that the device is gone.
    fn trigger(&self) {
        let parked = std::mem::take(&mut *self.parked.lock().unwrap());
        parked.into_iter().for_each(|reply| self.complete(reply));
    }

    /// Unplugs the sensor. Returns its name, from its resources.
    fn remove(&self) -> &'static str {
        let hw = self.unplug(Cause::Unbind).unwrap();
        // No read is in flight any more that could park another reply.
        self.trigger();
        hw.name
    }
}

/// The sensors of the filesystem by inode number. Names and attributes outlive the devices.
#[derive(Clone, Default)]
struct Rack(Arc<Mutex<HashMap<INodeNo, Arc<Sensor>>>>);

impl Rack {
    fn find(&self, ino: INodeNo) -> Option<Arc<Sensor>> {
        self.0.lock().unwrap().get(&ino).cloned()
    }

    fn attributes(ino: INodeNo) -> FileAttr {
        let (kind, perm) =
            if ino == INodeNo::ROOT { (FileType::Directory, 0o755) } else { (FileType::RegularFile, 0o666) };
        FileAttr {
            ino,
            size: 0,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 512,
            flags: 0,
        }
    }
}

#[guarded_fops(
    lifetime = lifetime,
    via = self.find(ino),
    not_found = reply.error(Errno::ENXIO),
    unplugged = reply.error(Errno::ENODEV),
)]
impl Filesystem for Rack {
    #[fop(unguarded, reason = "runs before any device is reached")]
    fn init(&mut self, _req: &Request, _config: &mut KernelConfig) -> io::Result<()> {
        Ok(())
    }

    #[fop(unguarded, reason = "names outlive the devices")]
    fn lookup(&self, _req: &Request, _parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match name.to_str().and_then(|name| name.parse().ok()) {
            Some(ino @ 2..5) => reply.entry(&Duration::ZERO, &Self::attributes(INodeNo(ino)), Generation(0)),
            _ => reply.error(Errno::ENOENT),
        }
    }

    #[fop(unguarded, reason = "attributes outlive the devices")]
    fn getattr(&self, _req: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&Duration::ZERO, &Self::attributes(ino));
    }

    fn open(&self, _req: &Request, ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(ino.0), FopenFlags::FOPEN_DIRECT_IO);
    }

    /// The reply is sent when the sensor is triggered.
    fn read(
        &self,
        #[device] sensor: &Sensor,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        _size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        sensor.parked.lock().unwrap().push(reply);
    }

    /// A write triggers the sensor: its reads are answered from a thread of their own.
    fn write(
        &self,
        #[device] sensor: &Arc<Sensor>,
        #[access] hw: &Access<'_, Hw>,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if data != hw.name.as_bytes() {
            return reply.error(Errno::EINVAL);
        }
        reply.written(data.len() as u32);
        let sensor = sensor.clone();
        thread::spawn(move || sensor.trigger());
    }

    #[fop(unplugged = reply.poll(PollEvents::POLLERR | PollEvents::POLLHUP))]
    fn poll(
        &self,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _notifier: PollNotifier,
        _events: PollEvents,
        _flags: PollFlags,
        reply: ReplyPoll,
    ) {
        reply.poll(PollEvents::POLLOUT);
    }

    /// Runs for each file once, also where its sensor is gone from the rack.
    fn release(
        &self,
        #[device] sensor: Option<&Sensor>,
        #[access] hw: Option<&Access<'_, Hw>>,
        _req: &Request,
        ino: INodeNo,
        _fh: FileHandle,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        _flush: bool,
        reply: ReplyEmpty,
    ) {
        if let Some(sensor) = sensor {
            sensor.released[usize::from(hw.is_none())].fetch_add(1, SeqCst);
        }
        reply.ok();
    }
}

/// The rack, mounted.
struct Mounted {
    rack: Rack,
    point: PathBuf,
    session: Option<BackgroundSession>,
}

impl Mounted {
    fn new() -> io::Result<Self> {
        let rack = Rack::default();
        for (ino, name) in [(2, "heat"), (3, "light"), (4, "sound")] {
            rack.0.lock().unwrap().insert(INodeNo(ino), Sensor::new(name));
        }
        let point = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuser-{}", std::process::id()));
        std::fs::create_dir_all(&point).unwrap();
        let session = Session::new(rack.clone(), &point, &Config::default())?.spawn()?;
        Ok(Self { rack, point, session: Some(session) })
    }

    fn sensor(&self, ino: u64) -> Arc<Sensor> {
        self.rack.find(INodeNo(ino)).unwrap()
    }

    fn open(&self, ino: u64) -> io::Result<File> {
        File::options().read(true).write(true).open(self.point.join(ino.to_string()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Where an assertion failed, its clients still sleep.
        self.rack.0.lock().unwrap().values().for_each(|sensor| sensor.trigger());
        if let Some(session) = self.session.take() {
            session.umount_and_join().unwrap();
        }
        std::fs::remove_dir(&self.point).unwrap();
    }
}

/// A client that reads once.
fn read(file: &File) -> Sleeper<io::Result<String>> {
    let file = file.try_clone().unwrap();
    Sleeper::start("a read", move || {
        let mut bytes = [0; 16];
        // At an offset: the file's own position is locked while a read sleeps.
        let length = file.read_at(&mut bytes, 0)?;
        Ok(String::from_utf8_lossy(&bytes[..length]).into_owned())
    })
}

fn errno<T>(result: io::Result<T>) -> Error {
    result.err().and_then(|error| Error::from_io_error(&error)).expect("an errno")
}

#[test]
fn three_devices_in_one_session() {
    let mounted = match Mounted::new() {
        Ok(mounted) => mounted,
        Err(error) => return system_tests::skip(&format!("a filesystem cannot be mounted: {error}")),
    };
    let sensors = [2, 3, 4].map(|ino| mounted.sensor(ino));
    let files = [2, 3, 4].map(|ino| mounted.open(ino).unwrap());
    let [heat, light, sound] = &sensors;
    let readers = [0, 1, 2].map(|i| read(&files[i]));
    eventually("all reads are parked", || sensors.iter().all(|sensor| sensor.parked.lock().unwrap().len() == 1));
    let [first, second, third] = readers;

    // One answers, the others sleep on.
    assert_eq!(files[0].write_at(b"heat", 0).unwrap(), 4);
    assert_eq!(first.join().unwrap(), "heat");
    assert_eq!(heat.parked.lock().unwrap().len(), 0);

    // One is unplugged: its own read alone ends, with ENODEV.
    assert_eq!(light.remove(), "light");
    assert_eq!(errno(second.join()), ENODEV);
    assert_eq!(sound.parked.lock().unwrap().len(), 1);
    assert_eq!(errno(mounted.open(3)), ENODEV);
    assert_eq!(errno(files[1].write_at(b"light", 0)), ENODEV);
    let mut ready = [PollFd::new(&files[1], Ready::IN)];
    let limit = Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(poll(&mut ready, Some(&limit)).unwrap(), 1);
    assert_eq!(ready[0].revents(), Ready::ERR | Ready::HUP);

    // One is not to be found any more: an answer of its own.
    mounted.rack.0.lock().unwrap().remove(&INodeNo(3));
    assert_eq!(errno(mounted.open(3)), ENXIO);
    assert_eq!(errno(files[1].write_at(b"light", 0)), ENXIO);

    // The third never noticed.
    assert_eq!(files[2].write_at(b"sound", 0).unwrap(), 5);
    assert_eq!(third.join().unwrap(), "sound");

    assert_eq!(heat.remove(), "heat");
    drop(files);
    let released = |sensor: &Sensor| sensor.released.each_ref().map(|count| count.load(SeqCst));
    eventually("two releases with a sensor", || released(heat) == [0, 1] && released(sound) == [1, 0]);
    assert_eq!(released(light), [0, 0], "it is not in the rack any more");
}

#[test]
fn the_table_of_ops() {
    let ops = <Rack as Guarded<{ OpTable::key("Filesystem") }>>::OPS;
    let table: Vec<_> = ops.iter().map(|op| (op.name(), op.policy())).collect();
    let guarded = ["open", "read", "write", "poll"].map(|name| (name, Policy::Guarded));
    assert_eq!(table[3..7], guarded);
    assert_eq!(table[7..], [("release", Policy::Always)]);
    assert!(table[..3].iter().all(|(_, policy)| matches!(policy, Policy::Unguarded { .. })));
}
