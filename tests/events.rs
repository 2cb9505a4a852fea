//! Events: who has subscribed is told, in order, and by poll too.
use fops_host::Descriptor;
use fops_runtime::{Errno, OpenFlags, PollEvents, Result};
use rcar_vin::client::{Stream, get};
use rcar_vin::core::DEVICE;
use rcar_vin::ioctls::*;
use rcar_vin::uapi::*;
use std::time::Duration;
use system_tests::{DEADLINE, Machine, Sleeper, check, machine, needs_exec, needs_v4l_utils, run, vin};

fn open(machine: &Machine, flags: OpenFlags) -> Descriptor {
    machine.devices.open("video0", flags).unwrap()
}

fn subscribe(file: &Descriptor, type_: u32, id: u32, flags: u32) -> Result {
    get(file, VIDIOC_SUBSCRIBE_EVENT, v4l2_event_subscription { type_, id, flags, ..zeroed() }).map(drop)
}

fn unsubscribe(file: &Descriptor, type_: u32) {
    get(file, VIDIOC_UNSUBSCRIBE_EVENT, v4l2_event_subscription { type_, ..zeroed() }).unwrap();
}

fn event(file: &Descriptor) -> Result<Event> {
    get(file, VIDIOC_DQEVENT, zeroed())
}

fn has_event(file: &Descriptor) -> bool {
    file.poll(PollEvents::PRI, Some(Duration::ZERO)).unwrap() == PollEvents::PRI
}

#[test]
fn each_frame_is_told_when_it_begins() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    subscribe(&file, V4L2_EVENT_FRAME_SYNC, 0, 0).unwrap();
    let stream = Stream::start(file.clone(), 5).unwrap();
    let mut last = None;
    for _ in 0..3 {
        assert_eq!(file.poll(PollEvents::PRI, Some(DEADLINE)), Ok(PollEvents::PRI));
        let event = event(&file).unwrap();
        assert_eq!(event.type_, V4L2_EVENT_FRAME_SYNC);
        let (frame, at) = (<u32 as Uapi>::get(&event.data), (event.timestamp.sec, event.timestamp.nsec));
        let in_order = |(sequence, before)| event.sequence > sequence && at > before;
        assert!(last.map_or(event.sequence == 0, in_order), "{event:?}");
        last = Some((event.sequence, at));
        // It is this frame that comes next, or one that came while we looked.
        let got = stream.dequeue().unwrap();
        stream.queue(got.index).unwrap();
        assert!(frame <= got.sequence + 3, "{frame} after {got:?}");
    }
    check(&machine);
}

#[test]
fn a_change_of_the_sensor_is_told_and_what_it_has_no_more_is_refused() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    subscribe(&file, V4L2_EVENT_SOURCE_CHANGE, 0, 0).unwrap();
    let sleeper = {
        let file = file.clone();
        Sleeper::start("DQEVENT", move || event(&file))
    };
    vin(&machine, DEVICE).set_sensor_resolution(320, 240);
    let event = sleeper.join().unwrap();
    assert_eq!(
        (event.type_, <u32 as Uapi>::get(&event.data)),
        (V4L2_EVENT_SOURCE_CHANGE, V4L2_EVENT_SRC_CH_RESOLUTION)
    );
    // 640 by 480 is set, and cannot be had any more.
    assert_eq!(Stream::start(file.clone(), 5).err(), Some(Errno::EPIPE));
    let request = v4l2_requestbuffers { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() };
    get(&file, VIDIOC_REQBUFS, request).unwrap();
    let mut format = get(&file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() }).unwrap();
    format = get(&file, VIDIOC_S_FMT, format).unwrap();
    assert_eq!((format.pix.width, format.pix.height), (320, 240));
    Stream::start(file, 5).unwrap().dequeue().unwrap();
    check(&machine);
}

#[test]
fn a_control_tells_all_others_and_who_asks_for_it_itself() {
    let machine = machine();
    let [own, other] = [open(&machine, OpenFlags::RDWR), open(&machine, OpenFlags::RDWR)];
    let flags = [V4L2_EVENT_SUB_FL_SEND_INITIAL, 0];
    for (file, flags) in [&own, &other].into_iter().zip(flags) {
        subscribe(file, V4L2_EVENT_CTRL, V4L2_CID_BRIGHTNESS, flags).unwrap();
    }
    let told = |file| {
        assert!(has_event(file));
        <EventCtrl as Uapi>::get(&event(file).unwrap().data)
    };
    assert!(has_event(&own));
    let first = event(&own).unwrap();
    assert_eq!(first.sequence, 0);
    let initial = <EventCtrl as Uapi>::get(&first.data);
    assert_eq!(initial.changes, V4L2_EVENT_CTRL_CH_FLAGS | V4L2_EVENT_CTRL_CH_VALUE);
    assert_eq!((initial.value, initial.minimum, initial.maximum, initial.default_value), (128, 0, 255, 128));
    assert!(!has_event(&other));
    let set = |value| get(&own, VIDIOC_S_CTRL, v4l2_control { id: V4L2_CID_BRIGHTNESS, value }).unwrap().value;
    assert_eq!(set(1000), 255, "brought into its range");
    assert_eq!((told(&other).value, has_event(&own)), (255, false));
    set(255);
    assert!(!has_event(&other), "nothing has changed");
    assert_eq!(subscribe(&own, V4L2_EVENT_CTRL, 0, 0), Err(Errno::EINVAL));
    check(&machine);
}

#[test]
fn nothing_pending_is_enoent_for_those_who_do_not_wait() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR | OpenFlags::NONBLOCK);
    subscribe(&file, V4L2_EVENT_FRAME_SYNC, 0, 0).unwrap();
    assert_eq!(event(&file), Err(Errno::ENOENT));
    assert_eq!(subscribe(&file, V4L2_EVENT_ALL, 0, 0), Err(Errno::EINVAL));
    unsubscribe(&file, V4L2_EVENT_ALL);
    check(&machine);
}

#[test]
fn poll_for_events_alone_starts_nothing() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    assert_eq!(file.poll(PollEvents::PRI, Some(Duration::ZERO)), Ok(PollEvents::EMPTY));
    // Or it would be busy.
    let stream = Stream::start(open(&machine, OpenFlags::RDWR), 5).unwrap();
    stream.dequeue().unwrap();
    let poller = {
        let file = file.clone();
        Sleeper::start("poll", move || file.poll(PollEvents::PRI, None))
    };
    subscribe(&file, V4L2_EVENT_FRAME_SYNC, 0, 0).unwrap();
    assert_eq!(poller.join(), Ok(PollEvents::PRI));
    unsubscribe(&file, V4L2_EVENT_ALL);
    assert!(!has_event(&file), "what is pending goes with its subscription");
    check(&machine);
}

/// Or a file could subscribe to four thousand million of them, and every interrupt would look through them all.
#[test]
fn there_is_one_stream_and_one_source_to_hear_of() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    for type_ in [V4L2_EVENT_FRAME_SYNC, V4L2_EVENT_SOURCE_CHANGE] {
        assert_eq!(subscribe(&file, type_, 1, 0), Err(Errno::EINVAL));
        subscribe(&file, type_, 0, 0).unwrap();
    }
}

#[test]
fn v4l2_ctl_misses_no_event() {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    let script = r#"
        v4l2-ctl -d /dev/video0 --poll-for-event=ctrl=brightness &
        sleep 0.3
        v4l2-ctl -d /dev/video0 -c brightness=7
        sleep 0.1
        echo e6ef0000.video > /sys/bus/platform/drivers/rcar-vin/unbind
        wait
    "#;
    let run = run(&["exec", "--", "sh", "-c", script]);
    let events = run.stdout.matches("brightness").count();
    assert!(events == 2 && !run.stdout.contains("Missed"), "{run:?}");
}
