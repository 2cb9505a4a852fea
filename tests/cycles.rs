//! Plug, stream, unplug, again and again: every client's end is the promised one every time, and nothing is left.
use fops_runtime::{Errno, OpenFlags, PollEvents, Result};
use rcar_vin::client::{Fate, Last, RealFile, Role, Stream, VideoFile, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::ioctls::{VIDIOC_G_FMT, VIDIOC_QUERYCAP};
use rcar_vin::uapi::{Format, V4L2_BUF_TYPE_VIDEO_CAPTURE, v4l2_capability, zeroed};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;
use system_tests::{
    Client, Served, Sleeper, check, echo, eventually, machine, unbind, video_nodes, vin, wait_for_exit,
};

const CYCLES: usize = 50;

/// Asks for this and that, as fast as it can. Returns why that ended.
fn hammer(file: &impl VideoFile, calls: &AtomicU64) -> Errno {
    loop {
        let format = Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() };
        let asked = get(file, VIDIOC_G_FMT, format).map(drop);
        let asked = asked.and_then(|()| get::<v4l2_capability>(file, VIDIOC_QUERYCAP, zeroed()).map(drop));
        match asked {
            Ok(()) => calls.fetch_add(1, SeqCst),
            Err(errno) => return errno,
        };
    }
}

/// Polls a stream of somebody else's until it ends.
fn poll(file: &impl VideoFile, calls: &AtomicU64) -> Result<PollEvents> {
    loop {
        let mask = file.poll(PollEvents::IN | PollEvents::PRI, None)?;
        if mask.intersects(PollEvents::ERR | PollEvents::HUP) {
            return Ok(mask);
        }
        calls.fetch_add(1, SeqCst);
    }
}

/// Two threads on files of one node: the hammerer and the poller.
struct Pair {
    calls: Arc<[AtomicU64; 2]>,
    hammerer: Sleeper<Errno>,
    poller: Sleeper<Result<PollEvents>>,
}

impl Pair {
    fn start<F: VideoFile + Send + 'static>(files: [F; 2]) -> Self {
        let calls = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let [one, two] = files;
        let (a, b) = (calls.clone(), calls.clone());
        let hammerer = Sleeper::awake("the hammerer", move || hammer(&one, &a[0]));
        let poller = Sleeper::awake("the poller", move || poll(&two, &b[1]));
        let pair = Self { calls, hammerer, poller };
        eventually("both have been answered", || pair.calls.iter().all(|calls| calls.load(SeqCst) > 0));
        pair
    }

    fn meets_its_fate(self) {
        assert_eq!(self.hammerer.join(), Errno::ENODEV);
        // A frame may be there as well.
        let mask = self.poller.join().unwrap();
        assert!(mask.contains(PollEvents::ERR | PollEvents::HUP | PollEvents::PRI), "{mask:?}");
    }
}

#[test]
fn fifty_cycles_on_nodes() {
    let machine = machine();
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let path = served.node("video0");
    let shell = |attribute| {
        let mut shell = echo(DEVICE, &served.attribute(DRIVER, attribute));
        assert!(wait_for_exit(attribute, &mut shell).success(), "{attribute}");
    };
    shell("unbind");
    for _ in 0..CYCLES {
        shell("bind");
        let streamer = Client::ready(Role::Stream, &path);
        let mut holder = Client::ready(Role::Hold, &path);
        let pair = Pair::start([RealFile::open(&path).unwrap(), RealFile::open(&path).unwrap()]);
        shell("unbind");
        streamer.meets_its_fate();
        pair.meets_its_fate();
        holder.release();
        holder.meets_its_fate();
        eventually("the node goes", || video_nodes(&machine).is_empty());
        assert_eq!(vin(&machine, DEVICE).dma_mappings(), 0);
    }
    check(&machine);
}

#[test]
fn fifty_cycles_in_process() {
    let machine = machine();
    let open = || machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    unbind(&machine, DEVICE);
    for _ in 0..CYCLES {
        machine.bus.bind(DRIVER, DEVICE).unwrap();
        let (send, ready) = mpsc::channel();
        let file = open();
        let streamer = Sleeper::awake("the streamer", move || Role::Stream.act(file, || send.send(()).unwrap()));
        ready.recv().unwrap();
        let holder = Stream::start(open(), 5).err();
        assert_eq!(holder, Some(Errno::EBUSY), "the queue has an owner");
        let holder = open();
        let pair = Pair::start([open(), open()]);
        unbind(&machine, DEVICE);
        let fate = streamer.join().unwrap();
        assert!(Role::Stream.is_promised(&fate), "{fate}");
        pair.meets_its_fate();
        let held = Fate { frames: 0, last: Last::Error("G_FMT", hammer(&holder, &AtomicU64::new(0))) };
        assert!(Role::Hold.is_promised(&held), "{held}");
        drop(holder);
        assert!(video_nodes(&machine).is_empty(), "a node is left");
        assert_eq!(vin(&machine, DEVICE).dma_mappings(), 0);
    }
    check(&machine);
}

#[test]
fn streams_that_race_with_unbind_get_enodev_and_leave_no_hardware_running() {
    let machine = machine();
    vin(&machine, DEVICE).set_frame_rate(2000.0);
    unbind(&machine, DEVICE);
    for cycle in 0..200 {
        machine.bus.bind(DRIVER, DEVICE).unwrap();
        let (devices, streams) = (machine.devices.clone(), Arc::new(AtomicU64::new(0)));
        let count = streams.clone();
        let clients = [0, 1].map(|_| {
            let (devices, count) = (devices.clone(), count.clone());
            Sleeper::awake("a client", move || {
                loop {
                    let file = devices.open("video0", OpenFlags::RDWR)?;
                    match Stream::start(file, 5).and_then(Stream::stop) {
                        // The queue has one owner at a time.
                        Ok(()) | Err(Errno::EBUSY) => count.fetch_add(1, SeqCst),
                        Err(errno) => return Result::<()>::Err(errno),
                    };
                }
            })
        });
        eventually("streams begin", || streams.load(SeqCst) > cycle % 8);
        unbind(&machine, DEVICE);
        for client in clients {
            let errno = client.join().unwrap_err();
            // Without a file open, the node is gone too.
            assert!(matches!(errno, Errno::ENODEV | Errno::ENOENT), "cycle {cycle}: {errno}");
        }
    }
    // Time for some frames, if the hardware still made them.
    std::thread::sleep(Duration::from_millis(20));
    check(&machine);
}
