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
        // Some are ready with their first frame; the others sleep from the start.
        vin.set_stalled(!matches!(role, Role::Read | Role::StreamOff));
        vin.set_frame_rate(if role == Role::StreamOff { 1.0 / 60.0 } else { 200.0 });
        vin.set_console_line_time(Duration::from_secs(3600));
        let client = Client::ready(role, &path);
        vin.set_stalled(role != Role::StreamOff);
        eventually("its call sleeps in the driver", || node.running() == running);
        client.falls_asleep();

        let began = Instant::now();
        let status = client.kill();
        assert!(began.elapsed() < AT_ONCE, "{role:?}: gone after {:?}", began.elapsed());
        assert_eq!(status.signal(), Some(9), "{role:?}");
        eventually("its file is released", || node.open_files() == 0 && node.running() == 0);

        vin.set_stalled(false);
        vin.set_frame_rate(200.0);
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

#[test]
fn killed_in_dqevent() {
    is_gone_at_once(Role::Event, 1);
}

#[test]
fn killed_in_streamoff() {
    is_gone_at_once(Role::StreamOff, 1);
}

#[test]
fn killed_in_log_status() {
    is_gone_at_once(Role::LogStatus, 1);
}
