//! Whoever sleeps in DQBUF, read or poll at unplug is told at once that the device is gone: processes, on nodes.
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
