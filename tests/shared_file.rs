//! One open file in many hands: a child's, a copy's, and one that came through a socket. Unplug answers all of them, and
//! release runs once, after the last close.
use fops_runtime::{Errno, PollEvents};
use rcar_vin::core::DEVICE;
use rustix::event::{PollFd, PollFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage};
use std::fs::File;
use std::io::{IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use system_tests::{
    Served, Sleeper, check, eventually, falls_asleep, machine, node, unbind, video_nodes, vin, wait_for_exit,
};

/// Sends the file through a socket, and returns what comes out of it.
fn passed(file: &File) -> File {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let fds = [file.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&fds)));
    rustix::net::sendmsg(&ours, &[IoSlice::new(b"x")], &mut control, rustix::net::SendFlags::empty()).unwrap();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(&theirs, &mut [IoSliceMut::new(&mut [0])], &mut control, RecvFlags::CMSG_CLOEXEC).unwrap();
    let file = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    file.expect("a file").into()
}

#[test]
fn unplug_answers_all_who_have_it() {
    let machine = machine();
    let Some(served) = Served::new(&machine.bus) else { return };
    vin(&machine, DEVICE).set_stalled(true);
    let node = node(&machine.bus, "video0");
    let file = File::open(served.node("video0")).unwrap();
    // A child, which inherits it and has it open when everybody else has closed it.
    let mut cat = Command::new("cat")
        .stdin(Stdio::from(file.try_clone().unwrap()))
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    falls_asleep("cat", cat.id());
    let reads = |mut file: File| move || file.read(&mut [0; 64]).map_err(Errno::from);
    let copy = Sleeper::start("a copy", reads(file.try_clone().unwrap()));
    let received = Sleeper::start("one that was passed", reads(passed(&file)));
    let poller = Sleeper::start("a poller", {
        let file = passed(&file);
        move || {
            let mut fds = [PollFd::new(&file, PollFlags::IN)];
            rustix::event::poll(&mut fds, None).unwrap();
            PollEvents::from_bits(fds[0].revents().bits().into())
        }
    });
    drop(file);
    assert_eq!(node.open_files(), 1);
    unbind(&machine, DEVICE);
    assert_eq!((copy.join(), received.join()), (Err(Errno::ENODEV), Err(Errno::ENODEV)));
    assert_eq!(poller.join(), PollEvents::ERR | PollEvents::HUP);
    assert!(!wait_for_exit("cat", &mut cat).success());
    let mut said = String::new();
    cat.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("No such device"), "{said:?}");
    eventually("the node goes with the last close", || video_nodes(&machine).is_empty());
    check(&machine);
}
