//! Frames come in order and show the picture.
use fops_runtime::{OpenFlags, PollEvents};
use rcar_vin::client::Stream;
use rcar_vin::core::DEVICE;
use system_tests::{DEADLINE, check, machine, unbind};

#[test]
fn frames_come_in_order_and_show_the_picture() {
    let machine = machine();
    let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 5).unwrap();
    let mut next = 0;
    for _ in 0..10 {
        let frame = stream.dequeue().unwrap();
        assert!(frame.sequence >= next, "{frame:?} after {next}");
        next = frame.sequence + 1;
        assert_eq!(frame.bytesused, stream.format().sizeimage);
        let picture = stream.picture(&frame).unwrap();
        assert!(picture.iter().any(|&byte| byte != picture[0]), "nothing to see");
        stream.queue(frame.index).unwrap();
    }
    stream.stop().unwrap();
    unbind(&machine, DEVICE);
    check(&machine);
}

/// The scratch buffer serves where nothing is queued, so one buffer is enough, and two need not lose a frame.
#[test]
fn a_stream_flows_with_few_buffers() {
    for count in [1, 2, 3] {
        let machine = machine();
        let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
        let stream = Stream::start(file, count).unwrap();
        let mut last = None;
        for _ in 0..20 {
            assert_eq!(stream.poll(Some(DEADLINE)), Ok(PollEvents::IN), "{count} buffers");
            let frame = stream.dequeue().unwrap();
            assert!(frame.index < count && last.is_none_or(|last| frame.sequence > last), "{frame:?}");
            last = Some(frame.sequence);
            stream.queue(frame.index).unwrap();
        }
        stream.stop().unwrap();
        check(&machine);
    }
}
