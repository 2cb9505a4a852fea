//! A driver that panics or lies gets its caller an `EIO`, is logged, and hurts nobody else.
use fops_host::{BufferMemory, Bus, Descriptor, Driver, Probe};
use fops_runtime::{
    Access, Cause, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents,
    PollTable, Result, SeekFrom, UserSliceReader, UserSliceWriter, VmArea, guarded_fops,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use system_tests::{DEADLINE, bus_with, capture_log, logged, torn_down};

/// What the driver does wrong next.
#[derive(Default)]
struct Faults {
    /// Panics in the function of this name.
    panic: Mutex<&'static str>,
    /// Claims more than it did, in the function of this name.
    lie: Mutex<&'static str>,
    /// Registers that were given back.
    freed: AtomicUsize,
}

impl Faults {
    fn panics(&self) -> MutexGuard<'_, &'static str> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lies(&self) -> MutexGuard<'_, &'static str> {
        self.lie.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn here(&self, function: &str) {
        let panics = *self.panics() == function;
        assert!(!panics, "a bug in {function}");
    }

    fn or_lie<T>(&self, function: &str, truth: T, lie: T) -> T {
        if *self.lies() == function { lie } else { truth }
    }
}

struct Registers(Arc<Faults>);

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.freed.fetch_add(1, SeqCst);
    }
}

struct Rogue {
    lifetime: DeviceLifetime<Registers>,
    faults: Arc<Faults>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce))]
impl FileOperations for Rogue {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        self.faults.here("open");
        Ok(())
    }

    fn release(&self, _file: File) {
        self.faults.here("release");
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        hw.0.here("read");
        let n = buf.write_slice(b"data")?;
        Ok(self.faults.or_lie("read", n, n + 1))
    }

    fn write(&self, _file: &File, mut buf: UserSliceReader<'_>) -> Result<usize> {
        self.faults.here("write");
        let n = buf.read_all().len();
        Ok(self.faults.or_lie("write", n, n + 1))
    }

    fn poll(&self, _file: &File, _table: &PollTable<'_>) -> PollEvents {
        self.faults.here("poll");
        PollEvents::IN
    }

    fn ioctl(&self, _file: &File, _command: Command, _arg: IoctlArg<'_>) -> Result<i32> {
        self.faults.here("ioctl");
        Ok(self.faults.or_lie("ioctl", 0, -19))
    }

    fn compat_ioctl(&self, _file: &File, _command: Command, _arg: IoctlArg<'_>) -> Result<i32> {
        self.faults.here("compat_ioctl");
        Ok(self.faults.or_lie("compat_ioctl", 0, -19))
    }

    fn mmap(&self, _file: &File, _area: &VmArea) -> Result {
        self.faults.here("mmap");
        Ok(())
    }

    fn llseek(&self, _file: &File, _to: SeekFrom) -> Result<u64> {
        self.faults.here("llseek");
        Ok(0)
    }

    fn flush(&self, _file: &File) -> Result {
        self.faults.here("flush");
        Ok(())
    }

    fn fsync(&self, _file: &File, _datasync: bool) -> Result {
        self.faults.here("fsync");
        Ok(())
    }
}

impl Rogue {
    fn quiesce(&self, _hw: &Registers, _cause: Cause) {
        self.faults.here("stop");
    }
}

struct RogueDriver(&'static str, Arc<Faults>);

impl Driver for RogueDriver {
    type Device = Rogue;

    fn name(&self) -> &str {
        "rogue"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Rogue>> {
        let faults = self.1.clone();
        let device = Arc::new(Rogue { lifetime: DeviceLifetime::new(Registers(faults.clone())), faults });
        probe.register_node(self.0, &device, Some(BufferMemory::new(4096)?));
        device.faults.here("probe");
        Ok(device)
    }

    fn remove(&self, device: &Arc<Rogue>, _hw: Registers, _cause: Cause) {
        device.faults.here("remove");
    }
}

/// Nodes are called `prefix`, so that each test finds its own in the log.
fn rogue(prefix: &'static str) -> (Arc<Bus>, Arc<Faults>) {
    capture_log();
    let faults = Arc::new(Faults::default());
    (bus_with(RogueDriver(prefix, faults.clone()), "rogue.0"), faults)
}

fn open(bus: &Bus, node: &str) -> Descriptor {
    bus.devices().open(node, OpenFlags::RDWR).unwrap()
}

const COMMAND: Command = Command::new(Direction::ReadWrite, b'T', 1, 4);
const AREA: VmArea = VmArea::new(0, 4096).shared();

type Call = fn(&Descriptor) -> Result;

/// The driver's function, the system call as the log names it, and how to call it.
const CALLS: [(&str, &str, Call); 9] = [
    ("read", "read", |file| file.read(&mut [0; 8]).map(drop)),
    ("write", "write", |file| file.write(&[0; 8]).map(drop)),
    ("poll", "poll", |file| match file.file().poll(PollEvents::IN, None) {
        PollEvents::ERR => Err(Errno::EIO),
        mask => {
            assert_eq!(mask, PollEvents::IN);
            Ok(())
        }
    }),
    ("ioctl", "ioctl", |file| file.ioctl(COMMAND, &mut [0; 4]).map(drop)),
    ("compat_ioctl", "ioctl", |file| file.file().compat_ioctl(COMMAND, IoctlArg::new(0, &mut [0; 4])).map(drop)),
    ("mmap", "mmap", |file| file.file().mmap(&AREA)),
    ("llseek", "lseek", |file| file.llseek(SeekFrom::Start(0)).map(drop)),
    ("flush", "close", |file| file.file().flush()),
    ("fsync", "fsync", |file| file.fsync(false)),
];

#[test]
fn a_panic_in_an_operation_is_eio_and_the_next_one_works() {
    let (bus, faults) = rogue("panics");
    bus.bind("rogue", "rogue.0").unwrap();
    let (file, other) = (open(&bus, "panics0"), open(&bus, "panics0"));
    for (function, call, operation) in CALLS {
        *faults.panics() = function;
        assert_eq!(operation(&file), Err(Errno::EIO), "{function}");
        assert!(logged(&["ERROR", "panicked", "panics0", &format!("{call:?}")]), "{function} is not in the log");
        *faults.panics() = "";
        assert_eq!((operation(&file), operation(&other)), (Ok(()), Ok(())), "{function}");
    }
    *faults.panics() = "open";
    assert_eq!(bus.devices().open("panics0", OpenFlags::RDWR).err(), Some(Errno::EIO));
    *faults.panics() = "";
    // No section was left open: nothing to wait for.
    torn_down(&bus.unbind("rogue", "rogue.0").unwrap());
    assert_eq!(faults.freed.load(SeqCst), 1);
    drop((file, other));
    assert!(bus.devices().get("panics0").is_none(), "the open that panicked left a file");
}

#[test]
fn a_lie_is_eio_and_logged() {
    let (bus, faults) = rogue("lies");
    bus.bind("rogue", "rogue.0").unwrap();
    let file = open(&bus, "lies0");
    for (function, claim) in [
        ("read", "read says 5 bytes and wrote 4"),
        ("write", "write took 9 of 8 bytes"),
        ("ioctl", "ioctl succeeded with -19"),
        ("compat_ioctl", "ioctl succeeded with -19"),
    ] {
        let (.., operation) = CALLS.into_iter().find(|(name, ..)| *name == function).unwrap();
        *faults.lies() = function;
        assert_eq!(operation(&file), Err(Errno::EIO), "{function}");
        assert!(logged(&["ERROR", claim, "lies0"]), "{function} is not in the log");
        *faults.lies() = "";
        assert_eq!(operation(&file), Ok(()), "{function}");
    }
}

#[test]
fn a_panic_in_release_or_in_the_stop_hook_does_not_hold_unplug_up() {
    let (bus, faults) = rogue("closes");
    bus.bind("rogue", "rogue.0").unwrap();
    let (early, late) = (open(&bus, "closes0"), open(&bus, "closes0"));
    *faults.panics() = "release";
    drop(early);
    assert!(logged(&["ERROR", "panicked", "closes0", "\"release\""]));
    *faults.panics() = "stop";
    torn_down(&bus.unbind("rogue", "rogue.0").unwrap());
    assert!(logged(&["ERROR", "hook panicked"]));
    assert_eq!(faults.freed.load(SeqCst), 1);
    *faults.panics() = "release";
    drop(late);
    assert!(bus.devices().get("closes0").is_none(), "the node stays behind");
}

#[test]
fn a_panic_in_probe_or_remove_leaves_a_device_that_can_be_bound() {
    let (bus, faults) = rogue("binds");
    *faults.panics() = "probe";
    assert_eq!(bus.bind("rogue", "rogue.0"), Err(Errno::EIO));
    assert!(logged(&["ERROR", "probe", "panicked", "rogue.0"]));
    assert!(bus.devices().get("binds0").is_none(), "a probe that failed made a node");
    assert_eq!(faults.freed.load(SeqCst), 1);

    *faults.panics() = "remove";
    bus.bind("rogue", "rogue.0").unwrap();
    let removal = bus.unbind("rogue", "rogue.0").unwrap();
    assert_eq!(removal.wait_for(DEADLINE), Err(Errno::EIO));
    assert!(logged(&["ERROR", "remove", "panicked", "rogue.0"]));
    assert_eq!(faults.freed.load(SeqCst), 2);
    assert!(bus.devices().get("binds0").is_none(), "the node stays behind");

    *faults.panics() = "";
    bus.bind("rogue", "rogue.0").unwrap();
    assert_eq!(open(&bus, "binds0").read(&mut [0; 8]), Ok(4));
    torn_down(&bus.unbind("rogue", "rogue.0").unwrap());
    assert_eq!(faults.freed.load(SeqCst), 3);
}
