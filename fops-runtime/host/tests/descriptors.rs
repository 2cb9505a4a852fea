//! A descriptor is a file: what the driver is asked, and what the caller is answered.
#[path = "../../tests/common/mod.rs"]
mod common;

use common::eventually;
use fops_host::{BufferMemory, Descriptor, Devices};
use fops_runtime::{
    Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents, PollTable,
    Request, Result, SeekFrom, Unplug, UserSliceReader, UserSliceWriter, VmArea, WaitQueue, guarded_fops,
};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const COMMAND: Command = Command::new(Direction::ReadWrite, b'T', 1, 2);
const GET: Command = Command::new(Direction::Read, b'T', 2, 2);
const SET: Command = Command::new(Direction::Write, b'T', 3, 2);

/// Answers as it is told to.
struct Device {
    lifetime: DeviceLifetime<()>,
    queue: WaitQueue,
    ready: AtomicU32,
    flushes: AtomicUsize,
    releases: AtomicUsize,
    /// What read and write claim beside what they have done.
    claims: AtomicUsize,
    seen: Mutex<Vec<u8>>,
}

#[guarded_fops(lifetime = lifetime, resources = (), unplug())]
impl FileOperations for Device {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }
    fn release(&self, _: File) {
        self.releases.fetch_add(1, SeqCst);
    }
    fn read(&self, file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if file.is_nonblocking() {
            return Err(Errno::EAGAIN);
        }
        let position = u8::try_from(buf.position()).map_err(|_| Errno::ERANGE)?;
        Ok(buf.write_slice(&[position, position + 1, position + 2])? + self.claims.load(SeqCst))
    }
    fn write(&self, _: &File, mut data: UserSliceReader<'_>) -> Result<usize> {
        let position = data.position();
        let mut seen = self.seen.lock().unwrap();
        seen.push(u8::try_from(position).map_err(|_| Errno::ERANGE)?);
        seen.extend_from_slice(data.read_all());
        Ok(2 + self.claims.load(SeqCst))
    }
    fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
        table.wait(&self.queue);
        PollEvents::from_bits(self.ready.load(SeqCst))
    }
    fn ioctl(&self, _: &File, _: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        let before = arg.read::<2>()?;
        self.seen.lock().unwrap().extend(before);
        arg.write(&[7, 8])?;
        // What a driver must not answer.
        Ok(if before == [0xff; 2] { -1 } else { 3 })
    }
    fn mmap(&self, _: &File, _: &VmArea) -> Result {
        Ok(())
    }
    fn llseek(&self, _: &File, to: SeekFrom) -> Result<u64> {
        match to {
            SeekFrom::Start(position) => Ok(position),
            _ => Err(Errno::EINVAL),
        }
    }
    fn flush(&self, _: &File) -> Result {
        self.flushes.fetch_add(1, SeqCst);
        Err(Errno::EPIPE)
    }
    fn fsync(&self, _: &File, datasync: bool) -> Result {
        Err(if datasync { Errno::EROFS } else { Errno::ENOSPC })
    }
}

fn open(flags: OpenFlags) -> (Arc<Device>, Descriptor) {
    let (devices, memory) = (Devices::new(), BufferMemory::new(8192).unwrap());
    let device = Arc::new(Device {
        lifetime: DeviceLifetime::new(()),
        queue: WaitQueue::new(),
        ready: AtomicU32::new(0),
        flushes: AtomicUsize::new(0),
        releases: AtomicUsize::new(0),
        claims: AtomicUsize::new(0),
        seen: Mutex::default(),
    });
    memory.write_at(4097, &[1, 2, 3]).unwrap();
    devices.register("node", device.clone(), Some(memory));
    (device, devices.open("node0", flags).unwrap())
}

#[test]
fn reads_and_writes_move_the_position() {
    let (device, file) = open(OpenFlags::RDWR);
    let mut buf = [0; 4];
    assert_eq!((file.read(&mut buf), buf), (Ok(3), [0, 1, 2, 0]));
    assert_eq!((file.read(&mut buf), buf), (Ok(3), [3, 4, 5, 0]));
    assert_eq!(file.write(b"abc"), Ok(2));
    assert_eq!(*device.seen.lock().unwrap(), [6, b'a', b'b', b'c']);
    assert_eq!(file.llseek(SeekFrom::Current(-5)), Ok(3));
    assert_eq!(file.llseek(SeekFrom::Current(-4)), Err(Errno::EINVAL));
    assert_eq!(file.llseek(SeekFrom::End(0)), Err(Errno::EINVAL));
    // `pread` and `pwrite` do not.
    assert_eq!((file.file().read_at(&mut buf, 9), buf), (Ok(3), [9, 10, 11, 0]));
    assert_eq!(file.file().write_at(b"d", 9), Err(Errno::EIO));
    assert_eq!((file.read(&mut buf), buf), (Ok(3), [3, 4, 5, 0]));
}

#[test]
fn a_driver_that_claims_too_much_is_not_believed() {
    let (device, file) = open(OpenFlags::RDWR);
    assert_eq!(file.write(b"ab"), Ok(2));
    device.claims.store(1, SeqCst);
    assert_eq!(file.read(&mut [0; 8]), Err(Errno::EIO));
    assert_eq!(file.write(b"ab"), Err(Errno::EIO));
    assert_eq!(file.write(b"abc"), Ok(3));
    assert_eq!(file.ioctl(COMMAND, &mut [0xff; 2]), Err(Errno::EIO));
    assert_eq!(file.file().compat_ioctl(COMMAND, IoctlArg::new(0, &mut [0; 2])), Err(Errno::ENOTTY));
}

#[test]
fn a_file_is_open_for_what_it_says() {
    let (_, read_only) = open(OpenFlags::RDONLY);
    assert_eq!((read_only.read(&mut [0; 3]), read_only.write(b"ab")), (Ok(3), Err(Errno::EBADF)));
    let (_, write_only) = open(OpenFlags::WRONLY);
    assert_eq!((write_only.read(&mut [0; 3]), write_only.write(b"ab")), (Err(Errno::EBADF), Ok(2)));
    read_only.set_flags(OpenFlags::NONBLOCK);
    assert_eq!(read_only.read(&mut [0; 3]), Err(Errno::EAGAIN));
}

#[test]
fn poll_answers_what_was_asked_for_and_what_went_wrong() {
    let (device, file) = open(OpenFlags::RDWR);
    let now = Some(Duration::ZERO);
    assert_eq!(file.poll(PollEvents::IN, now), Ok(PollEvents::EMPTY));
    for (ready, asked, answer) in [
        (PollEvents::IN | PollEvents::OUT, PollEvents::IN, PollEvents::IN),
        (PollEvents::OUT, PollEvents::IN, PollEvents::EMPTY),
        (PollEvents::ERR, PollEvents::IN, PollEvents::ERR),
        (PollEvents::HUP | PollEvents::OUT, PollEvents::OUT, PollEvents::HUP | PollEvents::OUT),
    ] {
        device.ready.store(ready.bits(), SeqCst);
        assert_eq!(file.poll(asked, now), Ok(answer), "{ready:?} for {asked:?}");
    }
    device.ready.store(0, SeqCst);
    let request = Request::new(None);
    request.interrupt();
    assert_eq!(request.run(|| file.poll(PollEvents::IN, None)), Err(Errno::EINTR));
}

#[test]
fn a_sleeper_in_poll_is_woken_by_the_driver_and_by_unplug() {
    let _watchdog = common::watchdog("a sleeper in poll");
    let (device, file) = open(OpenFlags::RDWR);
    std::thread::scope(|s| {
        let sleeper = s.spawn(|| file.poll(PollEvents::IN, None));
        eventually("it sleeps", || device.queue.has_sleepers());
        device.ready.store(PollEvents::IN.bits(), SeqCst);
        device.queue.wake_all();
        assert_eq!(sleeper.join().unwrap(), Ok(PollEvents::IN));
        device.ready.store(0, SeqCst);
        let sleeper = s.spawn(|| file.poll(PollEvents::IN, None));
        eventually("it sleeps", || device.queue.has_sleepers());
        device.unplug(Cause::Unbind).unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(PollEvents::ERR | PollEvents::HUP));
    });
}

#[test]
fn an_argument_is_copied_in_and_out_as_the_command_says() {
    let (device, file) = open(OpenFlags::RDWR);
    for (command, goes_in, comes_out) in
        [(COMMAND, [1, 2], [7, 8, 9]), (GET, [0, 0], [7, 8, 9]), (SET, [1, 2], [1, 2, 9])]
    {
        let mut data = [1, 2, 9];
        assert_eq!(file.ioctl(command, &mut data), Ok(3));
        assert_eq!((device.seen.lock().unwrap().split_off(0), data), (goes_in.to_vec(), comes_out));
    }
    // Nothing is copied out after an error, and nothing is asked for that is too short.
    let mut data = [0xff; 2];
    assert_eq!((file.ioctl(COMMAND, &mut data), data), (Err(Errno::EIO), [0xff; 2]));
    assert_eq!(file.ioctl(COMMAND, &mut [1]), Err(Errno::EFAULT));
}

#[test]
fn a_mapping_is_a_part_of_the_memory_and_holds_the_file() {
    let (device, file) = open(OpenFlags::RDWR);
    let mapping = file.mmap(4096, 3).unwrap();
    assert_eq!((mapping.len(), mapping.is_empty()), (3, false));
    assert!(file.mmap(0, 0).unwrap().is_empty());
    let mut data = [9; 2];
    assert_eq!((mapping.read_at(1, &mut data), data), (Ok(()), [1, 2]));
    assert_eq!(mapping.read_at(2, &mut data), Err(Errno::EFAULT));
    assert_eq!(mapping.read_at(u64::MAX, &mut data), Err(Errno::EFAULT));
    drop(file);
    assert_eq!(device.releases.load(SeqCst), 0);
    drop(mapping);
    assert_eq!(device.releases.load(SeqCst), 1);
}

#[test]
fn each_close_flushes_and_the_last_one_releases() {
    let (device, file) = open(OpenFlags::RDWR);
    let counts = || (device.flushes.load(SeqCst), device.releases.load(SeqCst));
    let other = file.clone();
    assert_eq!((file.fsync(false), file.fsync(true)), (Err(Errno::ENOSPC), Err(Errno::EROFS)));
    assert_eq!((file.close(), counts()), (Err(Errno::EPIPE), (1, 0)));
    drop(other);
    assert_eq!(counts(), (2, 1));
}

#[test]
fn what_begins_after_unplug_is_no_late_answer() {
    let (device, file) = open(OpenFlags::RDWR);
    let node = file.file().node().clone();
    assert_eq!((file.read(&mut [0; 3]), node.open_files(), node.is_unplugged()), (Ok(3), 1, false));
    device.unplug(Cause::Unbind).unwrap();
    assert_eq!(file.read(&mut [0; 3]), Err(Errno::ENODEV));
    assert!(node.answers().is_empty() && node.is_unplugged());
    assert_eq!(node.running(), 0);
}
