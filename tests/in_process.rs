//! The driver in process: streams, is unplugged under every kind of sleeper, and streams again.
use fops_runtime::OpenFlags;
use rcar_vin::client::Stream;
use rcar_vin::core::{DEVICE, DRIVER};
use system_tests::Machine;

#[test]
fn frames_come_in_order_and_show_the_picture() {
    let machine = Machine::new();
    let stream = Stream::start(machine.open(OpenFlags::RDWR).unwrap(), 5).unwrap();
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
    machine.bus.unbind(DRIVER, DEVICE).unwrap().wait().unwrap();
    machine.check();
}
