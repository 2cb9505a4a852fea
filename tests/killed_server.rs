//! The server is killed: whoever uses its files is told by the kernel, and nobody hangs.
use fops_runtime::PollEvents;
use rcar_vin::client::{Last, RealFile, Role};
use rustix::process::Signal;
use system_tests::{Client, Serving};

fn is_told(last: Last) -> bool {
    match last {
        // ECONNABORTED, then ENOTCONN.
        Last::Error(_, errno) => matches!(errno.raw(), 103 | 107),
        Last::Mask(mask) => mask.contains(PollEvents::ERR),
    }
}

#[test]
fn its_clients_get_an_error() {
    if !Serving::can() {
        return;
    }
    // Those who wait for their first frame, for what they hold, for the next frame, and for nothing yet.
    for (args, roles) in [
        (&["--stall"][..], &[Role::Sleep, Role::Poll, Role::Hold][..]),
        (&["--frame-rate=2"], &[Role::Read, Role::Hold]),
        (&["--frame-rate=2"], &[Role::Stream, Role::Hold]),
    ] {
        let mut serving = Serving::start(args);
        let node = serving.root.join("dev/video0");
        let mut clients: Vec<_> = roles.iter().map(|&role| Client::ready(role, &node)).collect();
        if args == ["--stall"] {
            clients[..2].iter().for_each(Client::falls_asleep);
        }
        serving.signal(Signal::KILL);
        serving.ends();
        clients.iter_mut().for_each(Client::release);
        for (client, role) in clients.into_iter().zip(roles) {
            let last = client.ends_with();
            assert!(is_told(last), "{role:?}: {last:?}");
        }
        assert!(RealFile::open(&node).is_err_and(|errno| matches!(errno.raw(), 103 | 107)));
        serving.clean_up();
    }
}
