//! A client that is stopped in its sleep keeps no unplug waiting, and is told when it goes on.
use rcar_vin::client::Role;
use rcar_vin::core::DEVICE;
use rustix::process::Signal;
use std::fs;
use system_tests::{Client, Served, check, eventually, machine, node, unbind, video_nodes, vin};

#[test]
fn unplug_goes_on_without_it() {
    let machine = machine();
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let (vin, path) = (vin(&machine, DEVICE), served.node("video0"));
    for role in [Role::Sleep, Role::Read, Role::Poll] {
        // A reader is ready with its first frame; the others sleep from the start.
        vin.set_stalled(role != Role::Read);
        let client = Client::ready(role, &path);
        vin.set_stalled(true);
        client.falls_asleep();
        client.signal(Signal::STOP);
        let status = format!("/proc/{}/status", client.pid());
        eventually("it has stopped", || fs::read_to_string(&status).is_ok_and(|s| s.contains("State:\tT")));
        let node = node(&machine.bus, "video0");
        unbind(&machine, DEVICE);
        eventually("nobody is in the driver", || node.running() == 0);
        assert_eq!(node.open_files(), 1, "{role:?} was let go of");
        client.signal(Signal::CONT);
        client.meets_its_fate();
        eventually("the node goes", || video_nodes(&machine).is_empty());
        machine.bus.bind(rcar_vin::core::DRIVER, DEVICE).unwrap();
    }
    unbind(&machine, DEVICE);
    check(&machine);
}
