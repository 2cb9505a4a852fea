//! An operation that a driver leaves out answers as in the kernel, and with `ENODEV` once the device is gone.
use fops_host::{Descriptor, Driver, Probe};
use fops_runtime::{
    Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents, Result, SeekFrom,
    VmArea, guarded_fops,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use system_tests::{bus_with, torn_down};

/// Implements nothing but open.
struct Bare {
    lifetime: DeviceLifetime<()>,
    released: Arc<AtomicUsize>,
}

/// The state of an open file: given back at its release.
struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
impl FileOperations for Bare {
    type Open = Open;

    fn open(&self, _file: &File) -> Result<Open> {
        Ok(Open(self.released.clone()))
    }
}

struct BareDriver {
    released: Arc<AtomicUsize>,
}

impl Driver for BareDriver {
    type Device = Bare;

    fn name(&self) -> &str {
        "bare"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Bare>> {
        let device = Arc::new(Bare { lifetime: DeviceLifetime::new(()), released: self.released.clone() });
        probe.register_node("bare", &device, None);
        Ok(device)
    }
}

const COMMAND: Command = Command::new(Direction::ReadWrite, b'T', 1, 4);
const AREA: VmArea = VmArea::new(0, 4096).shared();

/// What every operation of the file answers: those that return a value, by name, with 0 for success.
fn answers(file: &Descriptor) -> Vec<(&'static str, Result)> {
    let (mut bytes, open) = ([0; 4], file.file());
    vec![
        ("read", file.read(&mut bytes).map(drop)),
        ("write", file.write(&bytes).map(drop)),
        ("ioctl", file.ioctl(COMMAND, &mut bytes).map(drop)),
        ("compat_ioctl", open.compat_ioctl(COMMAND, IoctlArg::new(0, &mut bytes)).map(drop)),
        ("mmap", open.mmap(&AREA)),
        ("llseek", file.llseek(SeekFrom::Start(0)).map(drop)),
        ("fsync", file.fsync(false)),
        ("fdatasync", file.fsync(true)),
    ]
}

#[test]
fn what_is_left_out_answers_as_in_the_kernel_and_enodev_after_unplug() {
    let released = Arc::new(AtomicUsize::new(0));
    let bus = bus_with(BareDriver { released: released.clone() }, "bare.0");
    bus.bind("bare", "bare.0").unwrap();
    let file = bus.devices().open("bare0", OpenFlags::RDWR).unwrap();
    let all = PollEvents::from_bits(u32::MAX);

    let before = [
        ("read", Errno::EINVAL),
        ("write", Errno::EINVAL),
        ("ioctl", Errno::ENOTTY),
        ("compat_ioctl", Errno::ENOTTY),
        ("mmap", Errno::ENODEV),
        ("llseek", Errno::ESPIPE),
        ("fsync", Errno::EINVAL),
        ("fdatasync", Errno::EINVAL),
    ];
    assert_eq!(answers(&file), before.map(|(op, errno)| (op, Err(errno))));
    assert_eq!(file.file().poll(all, None), PollEvents::DEFAULT);
    assert_eq!(file.file().flush(), Ok(()));

    torn_down(&bus.unbind("bare", "bare.0").unwrap());
    assert_eq!(answers(&file), before.map(|(op, _)| (op, Err(Errno::ENODEV))));
    let gone = PollEvents::ERR | PollEvents::HUP | PollEvents::PRI;
    assert_eq!(file.file().poll(all, None), gone);
    // Error and hang-up come unasked for, at once.
    assert_eq!(file.poll(PollEvents::IN, Some(Duration::ZERO)), Ok(PollEvents::ERR | PollEvents::HUP));
    assert_eq!(bus.devices().open("bare0", OpenFlags::RDWR).err(), Some(Errno::ENODEV));
    assert_eq!(file.file().flush(), Ok(()));

    assert_eq!(released.load(SeqCst), 0);
    assert_eq!(file.close(), Ok(()));
    assert_eq!(released.load(SeqCst), 1);
    assert_eq!(bus.devices().open("bare0", OpenFlags::RDWR).err(), Some(Errno::ENOENT));
}

#[test]
fn a_duplicated_descriptor_keeps_the_file_open() {
    let released = Arc::new(AtomicUsize::new(0));
    let bus = bus_with(BareDriver { released: released.clone() }, "bare.0");
    bus.bind("bare", "bare.0").unwrap();
    let file = bus.devices().open("bare0", OpenFlags::RDWR).unwrap();
    let duplicate = file.clone();
    torn_down(&bus.unbind("bare", "bare.0").unwrap());
    assert_eq!(file.close(), Ok(()));
    assert_eq!(duplicate.read(&mut [0; 4]), Err(Errno::ENODEV));
    assert_eq!(released.load(SeqCst), 0);
    drop(duplicate);
    assert_eq!(released.load(SeqCst), 1);
}
