//! The ioctls of a video node, one after another: what each answers, and what it changes.
use crate::app::client::{Stream, get};
use crate::app::machine::Machine;
use crate::board;
use crate::board::picture::{Layout, Picture};
use crate::driver::core::DEVICE;
use crate::driver::format::PixelFormat;
use crate::uapi::ioctls::*;
use crate::uapi::media::MEDIA_BUS_FMT_UYVY8_1X16;
use crate::uapi::*;
use fops_host::Descriptor;
use fops_runtime::{Cause, Errno, OpenFlags, PollEvents, Request, Result};
use std::time::Duration;

const CAPTURE: u32 = V4L2_BUF_TYPE_VIDEO_CAPTURE;

fn machine() -> Machine {
    Machine::new(&[DEVICE]).unwrap()
}

fn open(machine: &Machine, flags: OpenFlags) -> Descriptor {
    machine.devices.open("video0", flags).unwrap()
}

fn format(type_: u32, pixels: PixelFormat, width: u32, height: u32) -> Format {
    let mut format = Format { type_, ..zeroed() };
    (format.pix.pixelformat, format.pix.width, format.pix.height) = (pixels.fourcc(), width, height);
    format
}

fn size(format: &Format) -> (u32, u32, u32) {
    (format.pix.pixelformat, format.pix.width, format.pix.height)
}

fn request_buffers(file: &Descriptor, count: u32) -> Result<u32> {
    let request = v4l2_requestbuffers { count, type_: CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() };
    get(file, VIDIOC_REQBUFS, request).map(|request| request.count)
}

#[test]
fn formats_are_listed_in_their_order() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let ask = |type_, index| {
        let asked = v4l2_fmtdesc { index, type_, mbus_code: MEDIA_BUS_FMT_UYVY8_1X16, ..zeroed() };
        get(&file, VIDIOC_ENUM_FMT, asked)
    };
    let names = [
        "YUYV 4:2:2",
        "UYVY 4:2:2",
        "Y/CbCr 4:2:2",
        "Y/CbCr 4:2:0",
        "16-bit RGB 5-6-5",
        "32-bit BGRX 8-8-8-8",
        "8-bit Greyscale",
    ];
    for (index, (format, name)) in PixelFormat::ALL.iter().zip(names).enumerate() {
        let told = ask(CAPTURE, index as u32).unwrap();
        assert_eq!((told.index, told.type_, told.pixelformat), (index as u32, CAPTURE, format.fourcc()));
        assert_eq!((told.description, told.mbus_code), (text(name), MEDIA_BUS_FMT_UYVY8_1X16));
    }
    assert_eq!(ask(CAPTURE, names.len() as u32).err(), Some(Errno::EINVAL));
    assert_eq!(ask(CAPTURE + 1, 0).err(), Some(Errno::EINVAL));
}

#[test]
fn a_format_is_tried_without_effect_and_set_while_there_are_no_buffers() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let now = || size(&get(&file, VIDIOC_G_FMT, Format { type_: CAPTURE, ..zeroed() }).unwrap());
    let before = (PixelFormat::Yuyv.fourcc(), 640, 480);
    assert_eq!(now(), before);
    let wanted = format(CAPTURE, PixelFormat::Nv12, 330, 241);
    let nearest = (PixelFormat::Nv12.fourcc(), 320, 240);
    assert_eq!(size(&get(&file, VIDIOC_TRY_FMT, wanted).unwrap()), nearest);
    assert_eq!(now(), before);
    assert_eq!(request_buffers(&file, 2), Ok(2));
    assert_eq!(get(&file, VIDIOC_S_FMT, wanted).err(), Some(Errno::EBUSY));
    let other = format(CAPTURE + 1, PixelFormat::Nv12, 320, 240);
    for command in [VIDIOC_S_FMT, VIDIOC_TRY_FMT, VIDIOC_G_FMT] {
        assert_eq!(get(&file, command, other).err(), Some(Errno::EINVAL));
    }
    assert_eq!(request_buffers(&file, 0), Ok(0));
    let set = get(&file, VIDIOC_S_FMT, wanted).unwrap();
    assert_eq!((size(&set), now()), (nearest, nearest));
    let pix = set.pix;
    assert_eq!((pix.bytesperline, pix.sizeimage, pix.field), (320, 320 * 240 * 3 / 2, V4L2_FIELD_NONE));
    assert_eq!((pix.colorspace, pix.quantization), (V4L2_COLORSPACE_SRGB, V4L2_QUANTIZATION_LIM_RANGE));
    let rgb = get(&file, VIDIOC_S_FMT, format(CAPTURE, PixelFormat::Rgb565, 320, 240)).unwrap();
    assert_eq!(rgb.pix.quantization, V4L2_QUANTIZATION_FULL_RANGE);
}

#[test]
fn each_format_is_captured_as_it_is_described() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    for (&pixels, &kind) in PixelFormat::ALL.iter().zip(board::PixelFormat::ALL) {
        get(&file, VIDIOC_S_FMT, format(CAPTURE, pixels, 96, 32)).unwrap();
        let stream = Stream::start(file.clone(), 3).unwrap();
        let picture = stream.picture(&stream.dequeue().unwrap()).unwrap();
        let mut expected = Picture::new(Layout::new(kind, 96, 32));
        // The sensor counts its frames since the board was switched on.
        assert!((0..500).any(|number| expected.render(number) == picture), "{pixels:?}");
        stream.stop().unwrap();
        request_buffers(&file, 0).unwrap();
    }
}

#[test]
fn there_is_one_input() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let input = get(&file, VIDIOC_ENUMINPUT, zeroed::<v4l2_input>()).unwrap();
    assert_eq!((input.name, input.type_), (text("Camera"), V4L2_INPUT_TYPE_CAMERA));
    assert_eq!(get(&file, VIDIOC_ENUMINPUT, v4l2_input { index: 1, ..zeroed() }).err(), Some(Errno::EINVAL));
    assert_eq!(get(&file, VIDIOC_G_INPUT, 7_u32), Ok(0));
    assert_eq!(get(&file, VIDIOC_S_INPUT, 0_u32), Ok(0));
    assert_eq!(get(&file, VIDIOC_S_INPUT, 1_u32), Err(Errno::EINVAL));
}

#[test]
fn a_file_of_less_priority_may_look_and_not_change() {
    let machine = machine();
    let [low, high] = [(); 2].map(|()| open(&machine, OpenFlags::RDWR));
    let highest = |file: &Descriptor| get(file, VIDIOC_G_PRIORITY, 0_u32);
    let set = |file: &Descriptor, priority: u32| get(file, VIDIOC_S_PRIORITY, priority).map(drop);
    assert_eq!(highest(&low), Ok(V4L2_PRIORITY_DEFAULT));
    for wrong in [V4L2_PRIORITY_BACKGROUND - 1, V4L2_PRIORITY_RECORD + 1] {
        assert_eq!(set(&high, wrong), Err(Errno::EINVAL));
    }
    // All back and forth, so that a count which is wrong shows.
    for _ in 0..3 {
        assert_eq!(set(&high, V4L2_PRIORITY_RECORD), Ok(()));
        assert_eq!((highest(&low), highest(&high)), (Ok(V4L2_PRIORITY_RECORD), Ok(V4L2_PRIORITY_RECORD)));
        let wanted = format(CAPTURE, PixelFormat::Grey, 64, 64);
        assert_eq!(get(&low, VIDIOC_S_FMT, wanted).err(), Some(Errno::EBUSY));
        assert_eq!(get(&low, VIDIOC_S_INPUT, 0_u32), Err(Errno::EBUSY));
        assert_eq!(get(&low, VIDIOC_S_CROP, v4l2_crop { type_: CAPTURE, ..zeroed() }).err(), Some(Errno::EBUSY));
        assert_eq!(set(&low, V4L2_PRIORITY_RECORD), Err(Errno::EBUSY));
        assert_eq!(request_buffers(&low, 1), Err(Errno::EBUSY));
        assert!(get(&low, VIDIOC_G_FMT, Format { type_: CAPTURE, ..zeroed() }).is_ok());
        assert!(get(&high, VIDIOC_S_FMT, wanted).is_ok());
        assert_eq!(set(&high, V4L2_PRIORITY_DEFAULT), Ok(()));
        assert_eq!(highest(&low), Ok(V4L2_PRIORITY_DEFAULT));
    }
    assert_eq!((set(&low, V4L2_PRIORITY_BACKGROUND), highest(&low)), (Ok(()), Ok(V4L2_PRIORITY_DEFAULT)));
    assert_eq!(set(&low, V4L2_PRIORITY_DEFAULT), Err(Errno::EBUSY), "the other has more");
    drop(high);
    assert_eq!(highest(&low), Ok(V4L2_PRIORITY_BACKGROUND), "it goes with its file");
    assert_eq!(set(&low, V4L2_PRIORITY_DEFAULT), Ok(()));
}

#[test]
fn the_old_ioctls_of_cropping_say_the_same() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let edges = |r: v4l2_rect| (r.left, r.top, r.width, r.height);
    let crop = |type_| get(&file, VIDIOC_G_CROP, v4l2_crop { type_, ..zeroed() }).map(|crop| edges(crop.c));
    assert_eq!(crop(CAPTURE), Ok((0, 0, 640, 480)));
    let c = v4l2_rect { left: 10, top: 20, width: 320, height: 240 };
    get(&file, VIDIOC_S_CROP, v4l2_crop { type_: CAPTURE, c }).unwrap();
    assert_eq!(crop(CAPTURE), Ok((10, 20, 320, 240)));
    assert_eq!(crop(CAPTURE + 1), Err(Errno::EINVAL));
    let cap = get(&file, VIDIOC_CROPCAP, v4l2_cropcap { type_: CAPTURE, ..zeroed() }).unwrap();
    assert_eq!((edges(cap.bounds), edges(cap.defrect)), ((0, 0, 640, 480), (0, 0, 640, 480)));
    assert_eq!((cap.pixelaspect.numerator, cap.pixelaspect.denominator), (1, 1));
}

#[test]
fn a_selection_has_the_targets_and_flags_that_it_has() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let selection = |target, flags, (width, height)| v4l2_selection {
        type_: CAPTURE,
        target,
        flags,
        r: v4l2_rect { left: 0, top: 0, width, height },
        ..zeroed()
    };
    let set = |target, flags, size| {
        get(&file, VIDIOC_S_SELECTION, selection(target, flags, size)).map(|it| (it.r.width, it.r.height))
    };
    assert_eq!(set(V4L2_SEL_TGT_CROP, 0, (321, 241)), Ok((322, 240)), "the nearest");
    // A rectangle that must not be smaller in either direction, or larger.
    for (flags, wanted, answer) in [
        (V4L2_SEL_FLAG_GE, (320, 240), Ok((320, 240))),
        (V4L2_SEL_FLAG_LE, (320, 240), Ok((320, 240))),
        (V4L2_SEL_FLAG_GE, (320, 241), Err(Errno::ERANGE)),
        (V4L2_SEL_FLAG_GE, (319, 239), Ok((320, 240))),
        (V4L2_SEL_FLAG_LE, (320, 239), Err(Errno::ERANGE)),
        (V4L2_SEL_FLAG_LE, (319, 240), Err(Errno::ERANGE)),
        (V4L2_SEL_FLAG_LE, (320, 241), Ok((320, 240))),
        (V4L2_SEL_FLAG_GE | V4L2_SEL_FLAG_LE, (320, 240), Ok((320, 240))),
        (V4L2_SEL_FLAG_GE | V4L2_SEL_FLAG_LE, (319, 241), Err(Errno::ERANGE)),
    ] {
        assert_eq!(set(V4L2_SEL_TGT_CROP, flags, wanted), answer, "{flags} {wanted:?}");
    }
    assert_eq!(set(V4L2_SEL_TGT_CROP_BOUNDS, 0, (320, 240)), Err(Errno::EINVAL), "it is what it is");
    assert_eq!(get(&file, VIDIOC_G_SELECTION, selection(0x7777, 0, (0, 0))).err(), Some(Errno::EINVAL));
    request_buffers(&file, 1).unwrap();
    assert_eq!(set(V4L2_SEL_TGT_CROP, 0, (64, 64)), Err(Errno::EBUSY));
}

#[test]
fn buffers_are_added_and_prepared() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    let mut more: CreateBuffers = zeroed();
    (more.count, more.memory) = (2, V4L2_MEMORY_MMAP);
    (more.format.type_, more.format.pix.sizeimage) = (CAPTURE, 640 * 480 * 2);
    let made = get(&file, VIDIOC_CREATE_BUFS, more).unwrap();
    assert_eq!((made.index, made.count), (0, 2));
    let second = Buffer { index: 1, type_: CAPTURE, memory: V4L2_MEMORY_MMAP, ..zeroed() };
    let prepared = get(&file, VIDIOC_PREPARE_BUF, second).unwrap();
    assert_eq!((prepared.index, prepared.flags & V4L2_BUF_FLAG_PREPARED), (1, V4L2_BUF_FLAG_PREPARED));
}

#[test]
fn who_does_not_wait_is_told_to_come_again() {
    let machine = machine();
    let vin = machine.board.vin(DEVICE).unwrap();
    vin.set_stalled(true);
    let file = open(&machine, OpenFlags::RDWR | OpenFlags::NONBLOCK);
    assert_eq!(file.read(&mut [0; 64]), Err(Errno::EAGAIN));
    // `read` has started the stream; a file that streams on its own says the same.
    drop(file);
    let stream = Stream::start(open(&machine, OpenFlags::RDWR | OpenFlags::NONBLOCK), 2).unwrap();
    assert_eq!(stream.dequeue().err(), Some(Errno::EAGAIN));
    assert_eq!(stream.poll(Some(Duration::ZERO)), Ok(PollEvents::EMPTY));
    vin.set_stalled(false);
}

#[test]
fn a_reader_is_told_of_pictures_in_either_word() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    // The reader that comes before the picture sleeps.
    assert_eq!(file.read(&mut [0; 640 * 480 * 2]), Ok(640 * 480 * 2));
    for events in [PollEvents::RDNORM, PollEvents::IN] {
        assert_eq!(file.poll(events, None), Ok(events));
    }
    let mut picture = vec![0; 640 * 480 * 2];
    let (half, rest) = picture.split_at_mut(640 * 480);
    // `read` gives one picture in as many parts as the reader has room for.
    assert_eq!((file.read(half), file.read(rest)), (Ok(640 * 480), Ok(640 * 480)));
    assert!(picture.iter().any(|&byte| byte != picture[0]));
}

#[test]
fn the_status_takes_as_long_as_the_console_and_ends_with_the_hardware() {
    let machine = machine();
    let vin = machine.board.vin(DEVICE).unwrap();
    let file = open(&machine, OpenFlags::RDWR);
    assert_eq!(file.ioctl(VIDIOC_LOG_STATUS, &mut []), Ok(0));
    // A signal ends its sleep; without one it would not be done today.
    vin.set_console_line_time(Duration::from_secs(86_400));
    let request = Request::new(None);
    request.interrupt();
    assert_eq!(request.run(|| file.ioctl(VIDIOC_LOG_STATUS, &mut [])), Err(Errno::EINTR));
    vin.set_console_line_time(Duration::ZERO);
    vin.surprise_remove();
    assert_eq!(file.ioctl(VIDIOC_LOG_STATUS, &mut []), Err(Errno::ENODEV));
    if let Ok(removal) = machine.bus.remove(DEVICE, Cause::Removal) {
        let _ = removal.wait();
    }
}

#[test]
fn only_what_is_a_buffer_is_mapped() {
    let machine = machine();
    let file = open(&machine, OpenFlags::RDWR);
    assert_eq!(file.mmap(0, 4096).err(), Some(Errno::EINVAL), "there are no buffers");
    request_buffers(&file, 1).unwrap();
    assert!(file.mmap(0, 4096).is_ok());
    assert_eq!(file.mmap(4096, 4096).err(), Some(Errno::EINVAL));
}
