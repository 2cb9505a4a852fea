//! A handle to a subdev is the subdev: its node's operations, its hooks, its defaults.
#![cfg(feature = "std")]
mod common;

use fops_runtime::{
    Access, Cause, Command, Device as _, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags,
    PollEvents, PollTable, Result, SeekFrom, Subdev, SubdevOperations, Unplug, UserSliceReader, UserSliceWriter,
    VmArea, guarded_fops,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

#[derive(Default)]
struct Calls {
    stops: AtomicUsize,
    wakes: AtomicUsize,
    releases: AtomicUsize,
    /// Of the release op.
    ends: AtomicUsize,
}

struct Lens {
    lifetime: DeviceLifetime<u8>,
    calls: &'static Calls,
}

/// All that is optional is left out.
#[guarded_fops(lifetime = lifetime, resources = u8, unplug(stop = halt, wake = kick))]
impl SubdevOperations for Lens {
    fn release(self) {
        self.calls.ends.fetch_add(1, SeqCst);
        // Its owner goes on.
        panic!("in the release op, on purpose");
    }
}

impl Lens {
    fn halt(&self, _: &u8, _: Cause) {
        self.calls.stops.fetch_add(1, SeqCst);
    }

    fn kick(&self, _: &u8) {
        self.calls.wakes.fetch_add(1, SeqCst);
    }
}

/// Each answers as nothing else does.
#[guarded_fops(lifetime = lifetime, subdev)]
impl FileOperations for Lens {
    type Open = u8;

    fn open(&self, #[access] hw: &Access<'_, u8>, _: &File) -> Result<u8> {
        Ok(**hw)
    }
    fn release(&self, file: File<u8>) {
        self.calls.releases.fetch_add(usize::from(file.into_state()), SeqCst);
    }
    fn read(&self, _: &File<u8>, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(b"read")
    }
    fn write(&self, _: &File<u8>, mut buf: UserSliceReader<'_>) -> Result<usize> {
        let mut data = [0; 5];
        buf.read_slice(&mut data)?;
        Ok(data.len())
    }
    fn poll(&self, _: &File<u8>, _: &PollTable<'_>) -> PollEvents {
        PollEvents::PRI
    }
    fn ioctl(&self, _: &File<u8>, _: Command, _: IoctlArg<'_>) -> Result<i32> {
        Ok(8)
    }
    fn compat_ioctl(&self, _: &File<u8>, _: Command, _: IoctlArg<'_>) -> Result<i32> {
        Ok(9)
    }
    fn mmap(&self, _: &File<u8>, area: &VmArea) -> Result {
        if area.len == 4096 { Ok(()) } else { Err(Errno::ERANGE) }
    }
    fn llseek(&self, _: &File<u8>, _: SeekFrom) -> Result<u64> {
        Ok(7)
    }
    fn flush(&self, _: &File<u8>) -> Result {
        Err(Errno::EPIPE)
    }
    fn fsync(&self, _: &File<u8>, datasync: bool) -> Result {
        Err(if datasync { Errno::EROFS } else { Errno::ENOSPC })
    }
}

fn lens() -> (Subdev<Lens>, &'static Calls) {
    let calls: &'static Calls = Box::leak(Box::default());
    (Subdev::new(Lens { lifetime: DeviceLifetime::new(5), calls }), calls)
}

#[test]
fn every_operation_of_the_node_reaches_the_subdev() {
    const COMMAND: Command = Command::new(Direction::None, b'L', 0, 0);
    let (lens, calls) = lens();
    let opened = FileOperations::open(&lens, &File::default()).unwrap();
    let file = File::new(1, OpenFlags::RDWR, opened);
    let (mut read, mut written) = ([0; 4], 0);
    assert_eq!(FileOperations::read(&lens, &file, UserSliceWriter::new(&mut read, &mut written, 0)), Ok(4));
    assert_eq!(&read, b"read");
    assert_eq!(FileOperations::write(&lens, &file, UserSliceReader::new(b"five!", 0)), Ok(5));
    assert_eq!(FileOperations::poll(&lens, &file, &PollTable::none(PollEvents::IN)), PollEvents::PRI);
    assert_eq!(FileOperations::ioctl(&lens, &file, COMMAND, IoctlArg::new(0, &mut [])), Ok(8));
    assert_eq!(FileOperations::compat_ioctl(&lens, &file, COMMAND, IoctlArg::new(0, &mut [])), Ok(9));
    assert_eq!(FileOperations::mmap(&lens, &file, &VmArea::new(0, 4096)), Ok(()));
    assert_eq!(FileOperations::mmap(&lens, &file, &VmArea::new(0, 1)), Err(Errno::ERANGE));
    assert_eq!(FileOperations::llseek(&lens, &file, SeekFrom::Start(0)), Ok(7));
    assert_eq!(FileOperations::flush(&lens, &file), Err(Errno::EPIPE));
    assert_eq!(FileOperations::fsync(&lens, &file, false), Err(Errno::ENOSPC));
    assert_eq!(FileOperations::fsync(&lens, &file, true), Err(Errno::EROFS));
    FileOperations::release(&lens, file);
    assert_eq!(calls.releases.load(SeqCst), 5);
    assert!(format!("{lens:?}").contains(&lens.lifetime().id().to_string()));
}

#[test]
fn a_subdev_without_s_stream_says_enotty() {
    assert_eq!(lens().0.s_stream(true), Err(Errno::ENOTTY));
}

#[test]
fn the_hooks_of_a_subdev_run() {
    let (lens, calls) = lens();
    assert_eq!(lens.unplug(Cause::Unbind), Ok(5));
    assert!(calls.wakes.load(SeqCst) >= 1);
    assert_eq!(calls.stops.load(SeqCst), 1);
    // As a device by itself, too.
    let (lens, calls) = self::lens();
    assert!(fops_runtime::Device::wake(&lens, &5));
    assert_eq!(calls.wakes.load(SeqCst), 1);
    fops_runtime::Device::stop(&lens, &5, Cause::Unbind);
    assert_eq!(calls.stops.load(SeqCst), 1);
}

#[test]
fn the_last_handle_calls_the_release_op_once() {
    let (lens, calls) = lens();
    let other = lens.clone();
    assert_eq!(lens.unplug(Cause::Unbind), Ok(5));
    drop(lens);
    assert_eq!(calls.ends.load(SeqCst), 0);
    drop(other);
    assert_eq!(calls.ends.load(SeqCst), 1);
}
