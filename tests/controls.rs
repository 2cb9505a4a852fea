//! Controls change the picture; their values are the device's, not the sensor's.
use fops_host::Descriptor;
use fops_runtime::{Errno, OpenFlags, Result};
use rcar_vin::client::{Stream, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::ioctls::*;
use rcar_vin::uapi::*;
use system_tests::{Machine, check, eventually, machine, unbind, video_nodes, vin};

const BARS: i32 = 1;

fn open(machine: &Machine) -> Descriptor {
    machine.devices.open("video0", OpenFlags::RDWR).unwrap()
}

fn set(file: &Descriptor, id: u32, value: i32) -> Result<i32> {
    get(file, VIDIOC_S_CTRL, v4l2_control { id, value }).map(|control| control.value)
}

fn value(file: &Descriptor, id: u32) -> Result<i32> {
    get(file, VIDIOC_G_CTRL, v4l2_control { id, value: 0 }).map(|control| control.value)
}

/// The luma of the first pixel and of one in the last line, of the next YUYV picture.
fn luma(stream: &Stream<Descriptor>) -> (u8, u8) {
    let frame = stream.dequeue().unwrap();
    let picture = stream.picture(&frame).unwrap();
    stream.queue(frame.index).unwrap();
    let format = stream.format();
    (picture[0], picture[((format.height - 1) * format.bytesperline) as usize])
}

/// Limited range: 75% white is 180, and black 16.
const WHITE: u8 = 180;
const BLACK: u8 = 16;

#[test]
fn brightness_and_test_pattern_show_in_the_stream() {
    let machine = machine();
    let file = open(&machine);
    let stream = Stream::start(file.clone(), 5).unwrap();
    assert_eq!(luma(&stream), (WHITE, BLACK), "the scene: a bar above, the strip of the counter below");
    set(&file, V4L2_CID_TEST_PATTERN, BARS).unwrap();
    eventually("bars from top to bottom", || luma(&stream) == (WHITE, WHITE));
    set(&file, V4L2_CID_BRIGHTNESS, 0).unwrap();
    eventually("a darker white", || luma(&stream) == (70, 70));
    drop(stream);
    check(&machine);
}

#[test]
fn what_is_set_before_a_stream_is_there_from_its_first_frame() {
    let machine = machine();
    let file = open(&machine);
    set(&file, V4L2_CID_TEST_PATTERN, BARS).unwrap();
    // The sensor forgets, the device does not.
    vin(&machine, DEVICE).surprise_remove();
    vin(&machine, DEVICE).insert();
    assert_eq!((value(&file, V4L2_CID_TEST_PATTERN), value(&file, V4L2_CID_BRIGHTNESS)), (Ok(BARS), Ok(128)));
    assert_eq!(luma(&Stream::start(file.clone(), 5).unwrap()), (WHITE, WHITE));
    drop(file);
    check(&machine);
}

#[test]
fn another_device_begins_with_the_defaults() {
    let machine = machine();
    let old = open(&machine);
    set(&old, V4L2_CID_TEST_PATTERN, BARS).unwrap();
    unbind(&machine, DEVICE);
    assert_eq!(value(&old, V4L2_CID_TEST_PATTERN), Err(Errno::ENODEV));
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    let name = video_nodes(&machine)[1].name().to_owned();
    let file = machine.devices.open(&name, OpenFlags::RDWR).unwrap();
    assert_eq!(value(&file, V4L2_CID_TEST_PATTERN), Ok(0));
    assert_eq!(luma(&Stream::start(file, 5).unwrap()), (WHITE, BLACK));
    drop(old);
    check(&machine);
}

#[test]
fn controls_are_listed_with_their_classes_and_menus() {
    let machine = machine();
    let file = open(&machine);
    let text = |name: [u8; 32]| String::from_utf8_lossy(&name).trim_end_matches('\0').to_owned();
    let next = |id| get(&file, VIDIOC_QUERYCTRL, v4l2_queryctrl { id: id | V4L2_CTRL_FLAG_NEXT_CTRL, ..zeroed() });
    let names: Vec<_> = std::iter::successors(next(0).ok(), |last| next(last.id).ok()).map(|c| text(c.name)).collect();
    assert_eq!(names, ["User Controls", "Brightness", "Image Processing Controls", "Test Pattern"]);
    let compound = QueryExtCtrl { id: V4L2_CTRL_FLAG_NEXT_COMPOUND, ..zeroed() };
    assert_eq!(get(&file, VIDIOC_QUERY_EXT_CTRL, compound), Err(Errno::EINVAL));
    let item = |index| get(&file, VIDIOC_QUERYMENU, QueryMenu { id: V4L2_CID_TEST_PATTERN, index, ..zeroed() });
    let items: Vec<_> = (0..).map_while(|index| item(index).ok()).map(|item| text(item.name)).collect();
    assert_eq!(items, ["Disabled", "Colour Bars", "Grey Ramp", "Checkerboard"]);
    assert_eq!(set(&file, V4L2_CID_TEST_PATTERN, 4), Err(Errno::ERANGE));
    assert_eq!(set(&file, V4L2_CID_USER_CLASS, 0), Err(Errno::EACCES));
    assert_eq!(value(&file, 0), Err(Errno::EINVAL));
    check(&machine);
}
