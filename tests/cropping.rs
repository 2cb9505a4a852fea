//! Selections: a window of the sensor's frame is captured, one to one.
use fops_host::Descriptor;
use fops_runtime::{Errno, OpenFlags, Result};
use rcar_vin::board::PixelFormat;
use rcar_vin::client::{Stream, get};
use rcar_vin::ioctls::*;
use rcar_vin::picture::{Layout, Picture};
use rcar_vin::uapi::*;
use system_tests::{check, machine};

fn select(file: &Descriptor, target: u32, flags: u32, r: v4l2_rect) -> Result<(i32, i32, u32, u32)> {
    let selection = v4l2_selection { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, target, flags, r, ..zeroed() };
    get(file, VIDIOC_S_SELECTION, selection).map(|selection| edges(selection.r))
}

fn selected(file: &Descriptor, target: u32) -> (i32, i32, u32, u32) {
    let selection = v4l2_selection { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, target, ..zeroed() };
    edges(get(file, VIDIOC_G_SELECTION, selection).unwrap().r)
}

fn edges(r: v4l2_rect) -> (i32, i32, u32, u32) {
    (r.left, r.top, r.width, r.height)
}

fn rect(left: i32, top: i32, width: u32, height: u32) -> v4l2_rect {
    v4l2_rect { left, top, width, height }
}

#[test]
fn a_window_shows_its_part_of_the_frame() {
    let machine = machine();
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    assert_eq!(selected(&file, V4L2_SEL_TGT_CROP), (0, 0, 640, 480));
    assert_eq!(select(&file, V4L2_SEL_TGT_CROP, 0, rect(101, 50, 320, 200)), Ok((100, 50, 320, 200)));
    assert_eq!(selected(&file, V4L2_SEL_TGT_CROP_BOUNDS), (0, 0, 640, 480));
    assert_eq!(selected(&file, V4L2_SEL_TGT_COMPOSE), (0, 0, 320, 200));
    let stream = Stream::start(file.clone(), 5).unwrap();
    assert_eq!((stream.format().width, stream.format().height), (320, 200));
    let frame = stream.dequeue().unwrap();
    let window = Layout { origin: (100, 50), scene: (640, 480), ..Layout::new(PixelFormat::Yuyv, 320, 200) };
    let mut expected = Picture::new(window);
    let picture = stream.picture(&frame).unwrap();
    // The sensor counts its frames since the board was switched on.
    assert!((0..20).any(|number| expected.render(number) == picture), "not a window of the scene");
    let whole = rect(0, 0, 640, 480);
    assert_eq!(select(&file, V4L2_SEL_TGT_CROP, 0, whole), Err(Errno::EBUSY));
    drop(stream);
    check(&machine);
}

#[test]
fn what_does_not_fit_becomes_the_nearest_or_is_refused() {
    let machine = machine();
    let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let crop = |flags, r| select(&file, V4L2_SEL_TGT_CROP, flags, r);
    assert_eq!(crop(0, rect(600, 470, 4000, 4000)), Ok((0, 0, 640, 480)));
    assert_eq!(crop(V4L2_SEL_FLAG_GE, rect(0, 0, 4000, 4000)), Err(Errno::ERANGE));
    assert_eq!(crop(V4L2_SEL_FLAG_LE, rect(0, 0, 1, 1)), Err(Errno::ERANGE));
    assert_eq!(crop(0, rect(-5, -5, 64, 48)), Ok((0, 0, 64, 48)));
    assert_eq!(crop(0, rect(5000, 5000, 64, 48)), Ok((576, 432, 64, 48)));
    // There is no scaler.
    assert_eq!(select(&file, V4L2_SEL_TGT_COMPOSE, 0, rect(8, 8, 32, 32)), Ok((0, 0, 64, 48)));
    // A format is for a whole frame again.
    let mut format = get(&file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() }).unwrap();
    (format.pix.width, format.pix.height) = (320, 240);
    get(&file, VIDIOC_S_FMT, format).unwrap();
    assert_eq!(selected(&file, V4L2_SEL_TGT_CROP), (0, 0, 320, 240));
    let cap = v4l2_cropcap { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() };
    assert_eq!(edges(get(&file, VIDIOC_CROPCAP, cap).unwrap().bounds), (0, 0, 320, 240));
    check(&machine);
}
