//! Whoever sleeps in a call at unplug is told at once that the device is gone: processes, on nodes.
use fops_runtime::Errno;
use rcar_vin::client::Role;
use rcar_vin::core::DRIVER;
use std::time::Duration;
use system_tests::{Client, Served, check, echo, eventually, machine_with, node, video_nodes, vin, wait_for_exit};

const VINS: [&str; 3] = ["e6ef0000.video", "e6ef1000.video", "e6ef2000.video"];
/// At once is some microseconds; a test machine may have something else to do.
const AT_ONCE: Duration = Duration::from_secs(1);

#[test]
fn all_are_told_at_unbind() {
    let machine = machine_with(&VINS);
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let client = |role, name: &str| Client::ready(role, &served.node(name));
    // Reading has to begin before it can wait.
    let reader = client(Role::Read, "video1");
    for name in VINS {
        vin(&machine, name).set_stalled(true);
    }
    let streamer = client(Role::Sleep, "video0");
    let pollers = [client(Role::Poll, "video0"), client(Role::Poll, "video2")];
    [&streamer, &reader].into_iter().chain(&pollers).for_each(Client::falls_asleep);
    // A poll that sleeps has been answered by the driver, and does not run in it.
    for (name, running) in [("video0", 1), ("video1", 1), ("video2", 0)] {
        eventually(&format!("{running} operations sleep in {name}"), || node(&machine.bus, name).running() == running);
    }
    let nodes = video_nodes(&machine);
    for name in VINS {
        let mut shell = echo(name, &served.attribute(DRIVER, "unbind"));
        assert!(wait_for_exit("echo > unbind", &mut shell).success());
    }
    for (node, client, call) in [(&nodes[0], &streamer, "ioctl"), (&nodes[1], &reader, "read")] {
        let answers = node.answers();
        let [answer] = answers.as_slice() else { panic!("{}: {answers:?}", node.name()) };
        assert_eq!((answer.call, answer.errno), (call, Some(Errno::ENODEV)));
        assert_eq!(answer.client.map(|client| client.pid), Some(client.pid()));
        assert!(answer.after < AT_ONCE, "{answer:?}");
    }
    for client in [streamer, reader].into_iter().chain(pollers) {
        client.meets_its_fate();
    }
    // Their files are closed with them, and the nodes gone.
    eventually("the nodes go", || video_nodes(&machine).is_empty());
    check(&machine);
}

#[test]
fn those_who_wait_for_events_for_the_hardware_and_for_the_log_are_told_too() {
    let machine = machine_with(&VINS);
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let client = |role, name: &str| Client::ready(role, &served.node(name));
    vin(&machine, VINS[0]).set_stalled(true);
    vin(&machine, VINS[1]).set_frame_rate(1.0 / 60.0);
    vin(&machine, VINS[2]).set_console_line_time(Duration::from_secs(3600));
    // Whoever polls an idle node starts to read: the stream is somebody's.
    let on_video0 = [Role::Sleep, Role::Event, Role::Select, Role::Epoll].map(|role| client(role, "video0"));
    let stream_off = client(Role::StreamOff, "video1");
    let log_status = client(Role::LogStatus, "video2");
    on_video0.iter().chain([&stream_off, &log_status]).for_each(Client::falls_asleep);
    for (name, running) in [("video0", 2), ("video1", 1), ("video2", 1)] {
        eventually(&format!("{running} operations sleep in {name}"), || node(&machine.bus, name).running() == running);
    }
    let nodes = video_nodes(&machine);
    for name in VINS {
        let mut shell = echo(name, &served.attribute(DRIVER, "unbind"));
        assert!(wait_for_exit("echo > unbind", &mut shell).success());
    }
    for (node, count) in nodes.iter().zip([2, 1, 1]) {
        let answers = node.answers();
        assert_eq!(answers.len(), count, "{}: {answers:?}", node.name());
        for answer in answers {
            assert_eq!((answer.call, answer.errno), ("ioctl", Some(Errno::ENODEV)));
            assert!(answer.after < AT_ONCE, "{answer:?}");
        }
    }
    for client in on_video0.into_iter().chain([stream_off, log_status]) {
        client.meets_its_fate();
    }
    eventually("the nodes go", || video_nodes(&machine).is_empty());
    check(&machine);
}
