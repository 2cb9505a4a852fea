//! A file that is held over unplug answers until its close: release runs once, and then the node's name is gone.
use fops_host::{Bus, Descriptor, Driver, Node, Probe};
use fops_runtime::{
    Access, Command, DeviceLifetime, Direction, Errno, File, FileOperations, IoctlArg, OpenFlags, PollEvents, Poller,
    Result, UserSliceWriter, guarded_fops,
};
use rcar_vin::client::{RealFile, Role, Stream, VideoFile};
use rcar_vin::core::{DEVICE, DRIVER};
use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use system_tests::{
    Client, Served, bus_with, check, echo, eventually, machine, node, torn_down, unbind, video_nodes, wait_for_exit,
};

/// What happened to the files of a device.
#[derive(Default)]
struct Counts {
    released: AtomicUsize,
    /// Of those, how many had access to the device.
    with_access: AtomicUsize,
}

struct Counter {
    lifetime: DeviceLifetime<u8>,
    counts: Arc<Counts>,
}

#[guarded_fops(lifetime = lifetime, unplug(), resources = u8)]
impl FileOperations for Counter {
    type Open = ();

    fn open(&self, _file: &File) -> Result {
        Ok(())
    }

    fn release(&self, #[access] hw: Option<&Access<'_, u8>>, _file: File) {
        self.counts.released.fetch_add(1, SeqCst);
        self.counts.with_access.fetch_add(usize::from(hw.is_some()), SeqCst);
    }

    fn read(&self, #[access] hw: &Access<'_, u8>, _file: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        buf.write_slice(&[**hw])
    }

    fn ioctl(&self, _file: &File, _command: Command, _arg: IoctlArg<'_>) -> Result<i32> {
        Ok(0)
    }
}

struct CounterDriver(Arc<Counts>);

impl Driver for CounterDriver {
    type Device = Counter;

    fn name(&self) -> &str {
        "counter"
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<Counter>> {
        let device = Arc::new(Counter { lifetime: DeviceLifetime::new(7), counts: self.0.clone() });
        probe.register_node("counter", &device, None);
        Ok(device)
    }
}

fn counter() -> (Arc<Bus>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let bus = bus_with(CounterDriver(counts.clone()), "counter.0");
    bus.bind("counter", "counter.0").unwrap();
    (bus, counts)
}

const COMMAND: Command = Command::new(Direction::ReadWrite, b'T', 1, 4);

#[test]
fn release_runs_once_with_access_before_unplug_and_without_after() {
    let (bus, counts) = counter();
    let (early, late) = (
        bus.devices().open("counter0", OpenFlags::RDWR).unwrap(),
        bus.devices().open("counter0", OpenFlags::RDWR).unwrap(),
    );
    drop(early);
    assert_eq!((counts.released.load(SeqCst), counts.with_access.load(SeqCst)), (1, 1));
    torn_down(&bus.unbind("counter", "counter.0").unwrap());
    assert_eq!(counts.released.load(SeqCst), 1, "unplug releases no file");
    drop(late);
    assert_eq!((counts.released.load(SeqCst), counts.with_access.load(SeqCst)), (2, 1));
}

#[test]
fn a_file_held_on_a_node_answers_enodev_until_its_close() {
    let (bus, counts) = counter();
    let Some(served) = Served::new(&bus) else { return };
    let path = served.node("counter0");
    // Two files: one for the calls that the standard library has, one for the others.
    let mut plain = fs::File::options().read(true).write(true).open(&path).unwrap();
    let video = RealFile::open(&path).unwrap();
    let mut byte = [0];
    assert_eq!(plain.read(&mut byte).unwrap(), 1);
    assert_eq!(byte, [7]);
    assert_eq!(video.ioctl(COMMAND, &mut [0; 4]), Ok(()));

    let mut shell = echo("counter.0", &served.attribute("counter", "unbind"));
    assert!(wait_for_exit("echo > unbind", &mut shell).success());
    let told = |result: std::io::Result<usize>| result.map_err(Errno::from);
    for _ in 0..2 {
        assert_eq!(told(plain.read(&mut byte)), Err(Errno::ENODEV));
        assert_eq!(told(plain.write(&byte)), Err(Errno::ENODEV));
        assert_eq!(told(plain.sync_all().map(|()| 0)), Err(Errno::ENODEV));
        assert_eq!(told(plain.sync_data().map(|()| 0)), Err(Errno::ENODEV));
        assert_eq!(video.ioctl(COMMAND, &mut [0; 4]), Err(Errno::ENODEV));
        let gone = PollEvents::ERR | PollEvents::HUP | PollEvents::PRI;
        assert_eq!(video.poll(PollEvents::IN | PollEvents::PRI, Some(Duration::ZERO)), Ok(gone));
        // Its name is still there, and answers too.
        assert_eq!(RealFile::open(&path).err(), Some(Errno::ENODEV));
    }
    assert_eq!(counts.released.load(SeqCst), 0);
    drop(plain);
    // The kernel releases a file some time after its close.
    eventually("the first release", || counts.released.load(SeqCst) == 1);
    assert!(path.exists(), "the name is gone before the last close");
    drop(video);
    eventually("the second release", || counts.released.load(SeqCst) == 2);
    eventually("the name goes", || fs::metadata(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound));
    assert_eq!((counts.released.load(SeqCst), counts.with_access.load(SeqCst)), (2, 0));
}

#[test]
fn a_device_that_is_bound_again_gets_another_node() {
    let machine = machine();
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let shell = |attribute| {
        let mut shell = echo(DEVICE, &served.attribute(DRIVER, attribute));
        assert!(wait_for_exit(attribute, &mut shell).success(), "{attribute}");
    };
    let mut holder = Client::ready(Role::Hold, &served.node("video0"));
    let old = RealFile::open(&served.node("video0")).unwrap();
    let old_node = node(&machine.bus, "video0");
    shell("unbind");
    shell("bind");
    let new_node = node(&machine.bus, "video1");
    assert_ne!(old_node.id(), new_node.id());

    // The new device works, and the old files do not reach it.
    let streamer = Client::ready(Role::Stream, &served.node("video1"));
    assert_eq!(old.read(&mut [0; 16]), Err(Errno::ENODEV));
    holder.release();
    holder.meets_its_fate();
    assert!(!new_node.is_unplugged());
    drop(old);
    eventually("the old node goes", || machine.devices.get("video0").is_none());
    shell("unbind");
    streamer.meets_its_fate();
    eventually("the new node goes", || video_nodes(&machine).is_empty());

    // The number is free again.
    shell("bind");
    Client::ready(Role::Stream, &served.node("video0")).kill();
    shell("unbind");
    check(&machine);
}

/// Closes a file as soon as the device is being unplugged: before the driver's stop hook.
struct Closer {
    node: Arc<Node>,
    file: Mutex<Option<Stream<Descriptor>>>,
}

impl Poller for Closer {
    fn wake(&self) {
        if self.node.is_unplugged() {
            // Not under the lock: release wakes again.
            let file = self.file.lock().unwrap().take();
            drop(file);
        }
    }
}

#[test]
fn a_stream_that_is_closed_before_the_stop_hook_leaves_no_hardware_running() {
    let machine = machine();
    let open = || machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let stream = Stream::start(open(), 5).unwrap();
    stream.dequeue().unwrap();
    let closer = Arc::new(Closer { node: node(&machine.bus, "video0"), file: Mutex::new(Some(stream)) });
    let (poller, other): (Arc<dyn Poller>, _) = (closer.clone(), open());
    other.file().poll(PollEvents::IN, Some(&poller));
    unbind(&machine, DEVICE);
    assert!(closer.file.lock().unwrap().is_none(), "nobody was woken");
    // Time for some frames, if the hardware still made them.
    std::thread::sleep(Duration::from_millis(50));
    check(&machine);
}
