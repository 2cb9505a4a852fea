//! Sixty-four processes on one node: all are told at unplug, and the node goes with the last of them.
use rcar_vin::client::Role;
use rcar_vin::core::DEVICE;
use system_tests::{Client, Served, check, eventually, machine, node, unbind, video_nodes, vin};

#[test]
fn all_of_them_are_told() {
    let machine = machine();
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    vin(&machine, DEVICE).set_stalled(true);
    let (node, path) = (node(&machine.bus, "video0"), served.node("video0"));
    let client = |role| Client::ready(role, &path);
    let mut clients = vec![client(Role::Sleep)];
    clients.extend((0..31).map(|_| client(Role::Poll)));
    let mut holders: Vec<_> = (0..32).map(|_| client(Role::Hold)).collect();
    clients.iter().for_each(Client::falls_asleep);
    assert_eq!(node.open_files(), 64);
    unbind(&machine, DEVICE);
    holders.iter_mut().for_each(Client::release);
    for client in clients.into_iter().chain(holders) {
        client.meets_its_fate();
    }
    eventually("the node goes", || video_nodes(&machine).is_empty());
    check(&machine);
}
