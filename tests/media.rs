//! The media node: programs see the graph of the group, and set its links.
use fops_host::Descriptor;
use fops_runtime::{Errno, OpenFlags, Result};
use rcar_vin::client::get;
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::ioctls::VIDIOC_ENUM_FMT;
use rcar_vin::media_uapi::*;
use rcar_vin::uapi::{Uapi, V4L2_BUF_TYPE_VIDEO_CAPTURE, load, store, v4l2_fmtdesc, zeroed};
use std::process::Command;
use system_tests::{check, machine_with, needs_exec, needs_v4l_utils, run, torn_down, unbind};

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

/// By its entity's name; by its file, whatever other node the program has looked at before; and by its number.
#[test]
fn v4l2_ctl_finds_each_node() {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    let script = r#"
        set -e
        v4l2-ctl -z platform:rcar-vin-group -d "VIN1 output" --stream-mmap --stream-count=3 2>&1
        # All in this one process.
        for node in video1 media0 v4l-subdev0 video0; do
            test -e /dev/$node
            { read major; read minor; read name; } < /sys/dev/char/0:0/uevent
            echo $node $major $minor $name
        done
        v4l2-ctl -d /dev/v4l-subdev0 --get-subdev-fmt 0
        v4l2-ctl --list-devices
        v4l2-sysfs-path
        for at in /sys/class/video4linux/video1 /sys/bus/media/devices/media0; do realpath $at; cat $at/uevent; done
        realpath /sys/class/video4linux/video1/device/driver
        echo e6ef1000.video > /sys/bus/platform/drivers/rcar-vin/unbind
        ls /sys/class/video4linux
    "#;
    let run = run(&["exec", "--frame-rate=120", "--", "sh", "-c", script]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    for text in [
        "<<<",
        "video1 MAJOR=81 MINOR=1 DEVNAME=video1\nmedia0 MAJOR=511 MINOR=0 DEVNAME=media0\n",
        "v4l-subdev0 MAJOR=81 MINOR=128 DEVNAME=v4l-subdev0\nvideo0 MAJOR=81 MINOR=0 DEVNAME=video0\n",
        "(MEDIA_BUS_FMT_UYVY8_1X16)",
        "(platform:e6ef1000.video):\n\t/dev/video1\n",
        "(platform:rcar-vin-group):\n\t/dev/media0\n",
        "Video device: video0\nVideo device: video1\n",
        "/sys/devices/platform/e6ef1000.video/video4linux/video1\nMAJOR=81\nMINOR=1\nDEVNAME=video1\n",
        "/sys/devices/platform/feaa0000.csi2/media0\nMAJOR=511\nMINOR=0\nDEVNAME=media0\n",
        "/sys/bus/platform/drivers/rcar-vin\nv4l-subdev0\nvideo0\n",
    ] {
        assert!(run.stdout.contains(text), "no {text:?} in {}", run.stdout);
    }
}

/// What MEDIA_IOC_G_TOPOLOGY says when there is room for `room` of each.
fn topology(media: &Descriptor, room: usize) -> Result<(media_v2_topology, [Vec<u8>; 4])> {
    let sizes = [media_v2_entity::SIZE, media_v2_interface::SIZE, media_v2_pad::SIZE, media_v2_link::SIZE];
    let mut areas = sizes.map(|size| vec![0; size * room]);
    let mut data = [0; media_v2_topology::SIZE];
    let [ptr_entities, ptr_interfaces, ptr_pads, ptr_links] =
        areas.each_ref().map(|area| if room == 0 { 0 } else { area.as_ptr().addr() as u64 });
    let room = room as u32;
    let asked = media_v2_topology {
        num_entities: room,
        ptr_entities,
        num_interfaces: room,
        ptr_interfaces,
        num_pads: room,
        ptr_pads,
        num_links: room,
        ptr_links,
        ..zeroed()
    };
    store(&asked, &mut data).unwrap();
    media.ioctl_with(MEDIA_IOC_G_TOPOLOGY, &mut data, &mut areas.each_mut().map(|area| &mut area[..]))?;
    Ok((load(&data).unwrap(), areas))
}

#[test]
fn the_topology_changes_with_the_group() {
    let machine = machine_with(&VINS);
    let media = machine.devices.open("media0", OpenFlags::RDWR).unwrap();
    let counts = |told: &media_v2_topology| (told.num_entities, told.num_interfaces, told.num_pads, told.num_links);
    let (before, _) = topology(&media, 0).unwrap();
    assert_eq!(counts(&before), (3, 3, 5, 7));
    assert_eq!(topology(&media, 2).err(), Some(Errno::ENOSPC));
    let (told, [_, interfaces, _, links]) = topology(&media, 7).unwrap();
    assert_eq!((counts(&told), told.topology_version), ((3, 3, 5, 7), before.topology_version));
    let numbers: Vec<_> = interfaces
        .chunks(media_v2_interface::SIZE)
        .map(|bytes| load(bytes).unwrap())
        .filter(|interface: &media_v2_interface| interface.id != 0)
        .map(|interface| (interface.intf_type, interface.major, interface.minor))
        .collect();
    let video = MEDIA_INTF_T_V4L_VIDEO;
    assert_eq!(numbers, [(MEDIA_INTF_T_V4L_SUBDEV, 81, 128), (video, 81, 0), (video, 81, 1)]);
    let links: Vec<media_v2_link> = links.chunks(media_v2_link::SIZE).map(|link| load(link).unwrap()).collect();
    let enabled = links.iter().filter(|link| link.flags == MEDIA_LNK_FL_ENABLED).count();
    assert_eq!(enabled, 2, "one for each VIN");

    unbind(&machine, DEVICE);
    let (after, _) = topology(&media, 0).unwrap();
    assert_eq!(counts(&after), (2, 2, 4, 4));
    assert!(after.topology_version > before.topology_version);
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    let (again, _) = topology(&media, 0).unwrap();
    assert_eq!(counts(&again), counts(&before));
    assert!(again.topology_version > after.topology_version);
    check(&machine);
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
