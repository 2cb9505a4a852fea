//! The scenarios of the test kit, for the VIN and for the receiver that takes its node down.
use fops_host::testkit::{ClientNode, Hotplug};
use fops_runtime::{PollEvents, Result};
use rcar_vin::client::{Stream, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::ioctls::*;
use rcar_vin::machine::Machine;
use rcar_vin::media_uapi::*;
use rcar_vin::uapi::{Format, V4L2_BUF_TYPE_VIDEO_CAPTURE, v4l2_capability, zeroed};
use system_tests::{machine_with, vin};

/// Small pictures: it is not the painting that is tested.
fn start(node: &ClientNode) -> Result<Stream<fops_host::Descriptor>> {
    let file = (*node.open()?).clone();
    let mut format = get(&file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() })?;
    (format.pix.width, format.pix.height) = (64, 48);
    get(&file, VIDIOC_S_FMT, format)?;
    Stream::start(file, 4)
}

fn dequeue_and_queue(node: &ClientNode) -> Result {
    let stream = start(node)?;
    loop {
        stream.queue(stream.dequeue()?.index)?;
    }
}

fn untouched(machine: &Machine) {
    assert_eq!(machine.faults(), Vec::<String>::new());
}

#[test]
fn a_vin_goes() {
    let machine = || machine_with(&[DEVICE, "e6ef1000.video"]);
    let report = Hotplug::on(machine, |machine| machine.bus.clone(), DRIVER, DEVICE)
        .act("streams", dequeue_and_queue)
        .act("reads", |node| node.open()?.read(&mut [0; 4096]))
        .act("polls", |node| node.open()?.poll(PollEvents::PRI))
        .act("asks", |node| get(&*node.open()?, VIDIOC_QUERYCAP, zeroed::<v4l2_capability>()))
        .surprise(|machine| vin(machine, DEVICE).surprise_remove(), |machine| vin(machine, DEVICE).insert())
        .beside("e6ef1000.video")
        .away(untouched)
        .run();
    println!("{report}");
    report.assert();
}

#[test]
fn the_receiver_goes() {
    let report = Hotplug::on(|| machine_with(&[DEVICE]), |machine| machine.bus.clone(), CSI2_DRIVER, CSI2_DEVICE)
        .act_on("v4l-subdev", "asks", |node| {
            get(&*node.open()?, VIDIOC_SUBDEV_QUERYCAP, zeroed::<v4l2_subdev_capability>())
        })
        .act_on("media", "asks the media node", |node| {
            get(&*node.open()?, MEDIA_IOC_DEVICE_INFO, zeroed::<media_device_info>())
        })
        .not_tried("s_stream", "operations of the VIN call it, whose nodes are another device's")
        .away(untouched)
        .run();
    println!("{report}");
    report.assert();
}
