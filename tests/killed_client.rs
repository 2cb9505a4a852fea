//! A client that is killed in its sleep is gone at once, its file is released, and the next client can stream.
use rcar_vin::client::Role;
use rcar_vin::core::DEVICE;
use std::os::unix::process::ExitStatusExt as _;
use std::time::{Duration, Instant};
use system_tests::{Client, Served, check, eventually, machine, node, unbind, vin};

/// At once is some milliseconds; a test machine may have something else to do.
const AT_ONCE: Duration = Duration::from_secs(10);

/// `running`: how many operations of a client that sleeps are in the driver.
fn is_gone_at_once(role: Role, running: usize) {
    let machine = machine();
    let Some(served) = Served::with_mmap(&machine.bus) else { return };
    let (vin, node, path) = (vin(&machine, DEVICE), node(&machine.bus, "video0"), served.node("video0"));
    for _ in 0..5 {
        // A reader is ready with its first frame; the others sleep from the start.
        vin.set_stalled(role != Role::Read);
        let client = Client::ready(role, &path);
        vin.set_stalled(true);
        eventually("its call sleeps in the driver", || node.running() == running);
        client.falls_asleep();

        let began = Instant::now();
        let status = client.kill();
        assert!(began.elapsed() < AT_ONCE, "{role:?}: gone after {:?}", began.elapsed());
        assert_eq!(status.signal(), Some(9), "{role:?}");
        eventually("its file is released", || node.open_files() == 0 && node.running() == 0);

        vin.set_stalled(false);
        Client::ready(Role::Stream, &path).kill();
        eventually("the next one's file is released", || node.open_files() == 0 && node.running() == 0);
    }
    unbind(&machine, DEVICE);
    check(&machine);
}

#[test]
fn killed_in_dqbuf() {
    is_gone_at_once(Role::Sleep, 1);
}

#[test]
fn killed_in_read() {
    is_gone_at_once(Role::Read, 1);
}

#[test]
fn killed_in_poll() {
    is_gone_at_once(Role::Poll, 0);
}
