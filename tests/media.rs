//! The media node: programs see the graph of the group, and set its links.
use fops_runtime::{Errno, OpenFlags};
use rcar_vin::client::get;
use rcar_vin::core::DEVICE;
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::ioctls::VIDIOC_ENUM_FMT;
use rcar_vin::media_uapi::*;
use rcar_vin::uapi::{Uapi, V4L2_BUF_TYPE_VIDEO_CAPTURE, load, store, v4l2_fmtdesc, zeroed};
use std::process::Command;
use system_tests::{check, machine_with, needs_exec, needs_v4l_utils, run, torn_down};

const VINS: [&str; 2] = [DEVICE, "e6ef1000.video"];

#[test]
fn media_ctl_shows_the_graph_and_sets_links() {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    assert!(Command::new("media-ctl").arg("--help").output().is_ok(), "media-ctl comes with v4l-utils");
    let script = r#"
        set -e
        link() { media-ctl -d /dev/media0 -l "\"rcar_csi2 feaa0000.csi2\":$1 -> \"VIN0 output\":0 [$2]"; }
        media-ctl -d /dev/media0 -p
        echo == unlinked
        link 1 0
        v4l2-ctl -d /dev/video0 --stream-mmap --stream-count=1 2>&1 || true
        echo == linked
        link 2 1
        v4l2-ctl -d /dev/video0 --stream-mmap --stream-count=3 2>&1
        media-ctl -d /dev/media0 -p | grep -c ENABLED
    "#;
    let run = run(&["exec", "--frame-rate=120", "--", "sh", "-c", script]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    let (graph, rest) = run.stdout.split_once("== unlinked").unwrap();
    let (unlinked, linked) = rest.split_once("== linked").unwrap();
    for line in ["entity 1: rcar_csi2 feaa0000.csi2 (3 pads, 4 links)", "entity 3: VIN1 output (1 pad, 2 links)"] {
        assert!(graph.contains(line), "{graph}");
    }
    assert!(graph.contains("-> \"VIN0 output\":0 [ENABLED]\n\t\t-> \"VIN1 output\":0 []"), "{graph}");
    assert!(unlinked.contains("Broken pipe"), "{unlinked}");
    assert!(linked.contains("<<<") && linked.trim_end().ends_with('4'), "{linked}");
}

#[test]
fn pads_and_links_are_copied_to_where_the_caller_wants_them() {
    let machine = machine_with(&VINS);
    let media = machine.devices.open("media0", OpenFlags::RDWR).unwrap();
    let (mut pads, mut links) = ([0; 3 * media_pad_desc::SIZE], [0; 4 * media_link_desc::SIZE]);
    let ask = |entity, pads: &mut [u8], links: &mut [u8]| {
        let mut data = [0; media_links_enum::SIZE];
        let address = |area: &[u8]| area.as_ptr().addr() as u64;
        let asked = media_links_enum { entity, pads: address(pads), links: address(links), ..zeroed() };
        store(&asked, &mut data).unwrap();
        media.ioctl_with(MEDIA_IOC_ENUM_LINKS, &mut data, &mut [pads, links])
    };
    assert_eq!(ask(1, &mut pads, &mut links), Ok(0));
    let pads: Vec<media_pad_desc> = pads.chunks(media_pad_desc::SIZE).map(|pad| load(pad).unwrap()).collect();
    let flags: Vec<_> = pads.iter().map(|pad| (pad.entity, pad.index, pad.flags)).collect();
    assert_eq!(flags, [(1, 0, MEDIA_PAD_FL_SINK), (1, 1, MEDIA_PAD_FL_SOURCE), (1, 2, MEDIA_PAD_FL_SOURCE)]);
    let links: Vec<media_link_desc> = links.chunks(media_link_desc::SIZE).map(|link| load(link).unwrap()).collect();
    let ends: Vec<_> = links.iter().map(|link| (link.source.index, link.sink.entity, link.flags)).collect();
    assert_eq!(ends, [(1, 2, MEDIA_LNK_FL_ENABLED), (2, 2, 0), (1, 3, 0), (2, 3, MEDIA_LNK_FL_ENABLED)]);
    // Room for less than there is: told, and nothing beyond it is touched.
    assert_eq!(ask(1, &mut [0; media_pad_desc::SIZE], &mut []), Err(Errno::EFAULT));
    assert_eq!(ask(4, &mut [0; 1], &mut [0; 1]), Err(Errno::EINVAL));
    torn_down(&machine.bus.unbind(CSI2_DRIVER, CSI2_DEVICE).unwrap());
    assert_eq!(ask(2, &mut [0; media_pad_desc::SIZE], &mut []), Err(Errno::ENODEV));
    check(&machine);
}

/// `V4L2_CAP_IO_MC`: a program asks for the formats that can be made of what the receiver delivers.
#[test]
fn formats_are_listed_by_media_bus_code() {
    let machine = machine_with(&VINS);
    let video = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    let first = |mbus_code| {
        let asked = v4l2_fmtdesc { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, mbus_code, ..zeroed() };
        get(&video, VIDIOC_ENUM_FMT, asked).map(|desc| desc.mbus_code)
    };
    assert_eq!(first(0), Ok(0));
    assert_eq!(first(MEDIA_BUS_FMT_UYVY8_1X16), Ok(MEDIA_BUS_FMT_UYVY8_1X16));
    assert_eq!(first(0x1001), Err(Errno::EINVAL));
}
