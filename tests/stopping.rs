//! STREAMOFF waits for the end of the frame, by its interrupt, and never leaves the hardware running.
use fops_runtime::{OpenFlags, PollEvents, Result};
use rcar_vin::client::{Fate, Role, Stream, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::ioctls::*;
use rcar_vin::uapi::*;
use std::sync::mpsc::channel;
use system_tests::{DEADLINE, Machine, Sleeper, check, eventually, machine, node, torn_down, vin};

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
