//! A suspended VIN keeps its stream: whoever waits goes on when it is resumed, and is told when it goes instead.
use fops_host::{Descriptor, Power};
use fops_runtime::{Errno, OpenFlags, PollEvents};
use rcar_vin::client::{Frame, Stream};
use rcar_vin::core::{DEVICE, DRIVER};
use std::thread;
use std::time::Duration;
use system_tests::{DEADLINE, Machine, check, eventually, machine, needs_exec, needs_v4l_utils, run, unbind, vin};

const A_WHILE: Duration = Duration::from_millis(50);

fn stream(machine: &Machine, flags: OpenFlags) -> Stream<Descriptor> {
    Stream::start(machine.devices.open("video0", flags).unwrap(), 5).unwrap()
}

fn next(stream: &Stream<Descriptor>) -> Frame {
    let frame = stream.dequeue().unwrap();
    stream.queue(frame.index).unwrap();
    frame
}

fn frames(machine: &Machine) -> u64 {
    vin(machine, DEVICE).frames()
}

#[test]
fn frames_go_on_after_a_suspend_and_after_a_reset() {
    let machine = machine();
    let stream = stream(&machine, OpenFlags::RDWR);
    let mut last = next(&stream).sequence;
    for round in 0..10 {
        if round % 2 == 0 {
            machine.bus.power(DEVICE, Power::Suspend).unwrap();
            let before = frames(&machine);
            thread::sleep(A_WHILE);
            assert_eq!(frames(&machine), before, "the hardware runs while it is suspended");
            // It stays suspended.
            machine.bus.power(DEVICE, Power::Reset).unwrap();
            machine.bus.power(DEVICE, Power::Suspend).unwrap();
            assert_eq!(frames(&machine), before);
            machine.bus.power(DEVICE, Power::Resume).unwrap();
        } else {
            machine.bus.power(DEVICE, Power::Reset).unwrap();
        }
        // Those that were done before, and new ones.
        for _ in 0..10 {
            let frame = next(&stream);
            assert!(frame.sequence > last, "{frame:?} after {last}");
            last = frame.sequence;
        }
    }
    stream.stop().unwrap();
    machine.bus.power(DEVICE, Power::Suspend).unwrap();
    machine.bus.power(DEVICE, Power::Resume).unwrap();
    assert_eq!(machine.bus.power("none", Power::Suspend), Err(Errno::ENODEV));
    unbind(&machine, DEVICE);
    check(&machine);
}

#[test]
fn whoever_waits_for_a_frame_waits_over_a_suspend() {
    let machine = machine();
    let stream = stream(&machine, OpenFlags::RDWR);
    vin(&machine, DEVICE).set_stalled(true);
    while stream.poll(Some(A_WHILE)) == Ok(PollEvents::IN) {
        next(&stream);
    }
    thread::scope(|s| {
        s.spawn(|| {
            let node = machine.devices.get("video0").unwrap();
            eventually("it is in DQBUF", || node.running() == 1);
            thread::sleep(A_WHILE);
            machine.bus.power(DEVICE, Power::Suspend).unwrap();
            vin(&machine, DEVICE).set_stalled(false);
            thread::sleep(A_WHILE);
            assert_eq!(node.running(), 1);
            machine.bus.power(DEVICE, Power::Resume).unwrap();
        });
        next(&stream);
    });
    drop(stream);
    unbind(&machine, DEVICE);
    check(&machine);
}

#[test]
fn a_suspended_device_is_not_ready_and_answers_eagain() {
    let machine = machine();
    let stream = stream(&machine, OpenFlags::RDWR | OpenFlags::NONBLOCK);
    machine.bus.power(DEVICE, Power::Suspend).unwrap();
    assert_eq!(stream.dequeue().err(), Some(Errno::EAGAIN));
    assert_eq!(stream.poll(Some(A_WHILE)), Ok(PollEvents::from_bits(0)));
    thread::scope(|s| {
        s.spawn(|| {
            thread::sleep(A_WHILE);
            machine.bus.power(DEVICE, Power::Resume).unwrap();
        });
        assert_eq!(stream.poll(Some(DEADLINE)), Ok(PollEvents::IN), "nobody woke it");
    });
    next(&stream);
    drop(stream);
    unbind(&machine, DEVICE);
    check(&machine);
}

#[test]
fn an_unbind_ends_a_suspend() {
    let machine = machine();
    let stream = stream(&machine, OpenFlags::RDWR);
    vin(&machine, DEVICE).set_stalled(true);
    while stream.poll(Some(A_WHILE)) == Ok(PollEvents::IN) {
        next(&stream);
    }
    thread::scope(|s| {
        s.spawn(|| {
            let node = machine.devices.get("video0").unwrap();
            eventually("it is in DQBUF", || node.running() == 1);
            thread::sleep(A_WHILE);
            machine.bus.power(DEVICE, Power::Suspend).unwrap();
            let waits = s.spawn(|| machine.devices.open("video0", OpenFlags::RDWR).err());
            eventually("it waits", || node.running() == 2);
            unbind(&machine, DEVICE);
            assert_eq!(waits.join().unwrap(), Some(Errno::ENODEV));
        });
        assert_eq!(stream.dequeue().err(), Some(Errno::ENODEV));
    });
    drop(stream);
    assert_eq!(machine.bus.power(DEVICE, Power::Resume), Err(Errno::ENODEV));
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    check(&machine);
}

/// Streams, suspends and resumes by hand, and counts the frames that come.
const SCRIPT: &str = r#"
power="$RCAR_VIN_ROOT/sys/devices/platform/e6ef0000.video"
v4l2-ctl -d /dev/video0 --stream-mmap --stream-count=60 --stream-to=/dev/null &
streamer=$!
sleep 0.2
for i in 1 2 3; do
    (echo suspend > "$power/power/state") || exit 92
    kill -0 $streamer || exit 93
    sleep 0.1
    (echo on > "$power/power/state") || exit 94
    (echo 1 > "$power/reset") || exit 95
    sleep 0.1
done
(echo nonsense > "$power/power/state") && exit 96
wait $streamer
"#;

#[test]
fn v4l2_ctl_streams_over_a_suspend() {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    let run = run(&["exec", "--frame-rate=50", "--", "sh", "-c", SCRIPT]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("e6ef0000.video: Suspend: Ok"), "{}", run.stderr);
}
