//! STREAMOFF waits for the end of the frame, by its interrupt, and never leaves the hardware running.
use fops_host::Descriptor;
use fops_runtime::{Errno, OpenFlags, PollEvents, Request, Result};
use rcar_vin::client::{Fate, Role, Stream, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::ioctls::*;
use rcar_vin::uapi::*;
use std::sync::mpsc::channel;
use system_tests::{DEADLINE, Machine, Sleeper, check, eventually, machine, machine_with, node, torn_down, vin};

/// Starts a stream whose STREAMOFF sleeps, since its first frame has begun and takes most of a minute.
fn sleeping_stream_off(machine: &Machine) -> Sleeper<Result<Fate>> {
    vin(machine, DEVICE).set_frame_rate(1.0 / 60.0);
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let (ready, wait) = channel();
    let sleeper = Sleeper::awake("STREAMOFF", move || Role::StreamOff.act(file, || ready.send(()).unwrap()));
    wait.recv_timeout(DEADLINE).unwrap();
    eventually("STREAMOFF sleeps", || node(&machine.bus, "video0").running() == 1);
    sleeper
}

#[test]
fn the_end_of_the_frame_wakes_it() {
    let machine = machine();
    let vin = vin(&machine, DEVICE);
    vin.set_frame_rate(2.0);
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let wanted = v4l2_event_subscription { type_: V4L2_EVENT_FRAME_SYNC, ..zeroed() };
    get(&file, VIDIOC_SUBSCRIBE_EVENT, wanted).unwrap();
    let stream = Stream::start(file.clone(), 5).unwrap();
    let frame_begins = || {
        assert_eq!(file.poll(PollEvents::PRI, Some(DEADLINE)), Ok(PollEvents::PRI));
        get::<Event>(&file, VIDIOC_DQEVENT, zeroed()).unwrap();
    };
    frame_begins();
    stream.dequeue().unwrap();
    frame_begins();
    let frames = vin.frames();
    Sleeper::awake("STREAMOFF", move || stream.stop()).join().unwrap();
    // It waited until the frame that was on its way had been written.
    assert_eq!((vin.frames(), vin.is_capturing()), (frames + 1, false));
    check(&machine);
}

#[test]
fn unplug_takes_a_long_frame_from_the_hardware() {
    let machine = machine();
    let sleeper = sleeping_stream_off(&machine);
    torn_down(&machine.bus.unbind(DRIVER, DEVICE).unwrap());
    let fate = sleeper.join().unwrap();
    assert!(Role::StreamOff.is_promised(&fate), "{fate}");
    // Or it would write to memory that it has no more, at the end of the frame.
    assert!(!vin(&machine, DEVICE).is_capturing());
    check(&machine);
}

#[test]
fn a_last_close_does_not_wait_for_a_long_frame_either() {
    let machine = machine();
    let hardware = vin(&machine, DEVICE);
    hardware.set_frame_rate(1.0 / 60.0);
    let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 5).unwrap();
    eventually("a frame begins", || hardware.interrupts() > 0);
    drop(stream);
    assert!(!hardware.is_capturing());
    // The next one gets frames, from the first on.
    hardware.set_frame_rate(200.0);
    let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 5).unwrap();
    assert_eq!(stream.dequeue().unwrap().sequence, 0);
    drop(stream);
    check(&machine);
}

/// A stream whose frame has begun, and ends in a second and a half.
fn slow_stream(machine: &Machine) -> Stream<Descriptor> {
    let hardware = vin(machine, DEVICE);
    hardware.set_frame_rate(0.5);
    let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 5).unwrap();
    eventually("a frame begins", || hardware.interrupts() > 0);
    stream
}

fn stream_off(file: &Descriptor) -> Result {
    get(file, VIDIOC_STREAMOFF, V4L2_BUF_TYPE_VIDEO_CAPTURE).map(drop)
}

#[test]
fn two_who_stop_one_stream_take_one_from_the_receiver() {
    let machine = machine_with(&[DEVICE, "e6ef1000.video"]);
    let other = Stream::start(machine.devices.open("video1", OpenFlags::RDWR).unwrap(), 5).unwrap();
    let stream = slow_stream(&machine);
    let stops = [(); 2].map(|()| {
        let file = stream.file().clone();
        Sleeper::awake("STREAMOFF", move || stream_off(&file))
    });
    for stop in stops {
        assert_eq!(stop.join(), Ok(()));
    }
    // More than were on their way.
    for _ in 0..10 {
        assert_eq!(other.poll(Some(DEADLINE)), Ok(PollEvents::IN), "the receiver was turned off");
        other.queue(other.dequeue().unwrap().index).unwrap();
    }
    drop((stream, other));
    check(&machine);
}

#[test]
fn one_that_got_a_signal_is_finished_by_the_next_streamon() {
    let machine = machine();
    let stream = slow_stream(&machine);
    let request = Request::new(None);
    let stop = Sleeper::awake("STREAMOFF", {
        let (file, request) = (stream.file().clone(), request.clone());
        move || request.run(|| stream_off(&file))
    });
    eventually("STREAMOFF sleeps", || node(&machine.bus, "video0").running() == 1);
    request.interrupt();
    assert_eq!(stop.join(), Err(Errno::EINTR));
    // Another file does not wait for what is not its own.
    let other = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let stream_on = |file: &Descriptor| get(file, VIDIOC_STREAMON, V4L2_BUF_TYPE_VIDEO_CAPTURE).map(drop);
    assert_eq!(stream_on(&other), Err(Errno::EBUSY));
    vin(&machine, DEVICE).set_frame_rate(200.0);
    let start = Sleeper::awake("STREAMON", {
        let file = stream.file().clone();
        move || stream_on(&file)
    });
    assert_eq!(start.join(), Ok(()));
    // All buffers are back, as after any STREAMOFF.
    (0..5).for_each(|index| stream.queue(index).unwrap());
    // The stream is on since before that: its first three frames went to the scratch buffer.
    let first = stream.dequeue().unwrap().sequence;
    assert!((3..100).contains(&first), "{first}");
    drop(stream);
    check(&machine);
}
