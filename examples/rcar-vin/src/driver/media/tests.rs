//! The media node: what it says of the entities, and which links can be set.
use super::*;
use crate::app::client::{Stream, get};
use crate::app::machine::Machine;
use crate::driver::core::DEVICE;
use fops_host::Descriptor;
use fops_runtime::{OpenFlags, PollEvents};
use std::time::Duration;

const OFF: u32 = 0;

fn machine() -> (Arc<RvinGroup>, Machine, Descriptor) {
    let group = RvinGroup::new();
    let machine = Machine::with_group(&[DEVICE, "e6ef1000.video"], group.clone()).unwrap();
    let media = machine.devices.open("media0", OpenFlags::RDWR).unwrap();
    (group, machine, media)
}

/// Sets the link from pad `source` of the receiver to a VIN's pad.
fn link(media: &Descriptor, source: u16, (vin, sink): (u32, u16), flags: u32) -> Result {
    let link = media_link_desc { source: pad(RECEIVER, source), sink: pad(vin, sink), flags, ..zeroed() };
    get(media, MEDIA_IOC_SETUP_LINK, link).map(drop)
}

#[test]
fn each_entity_is_described() {
    let (_group, _machine, media) = machine();
    let ask = |id| get(&media, MEDIA_IOC_ENUM_ENTITIES, media_entity_desc { id, ..zeroed() });
    let next = |id| ask(id | MEDIA_ENT_ID_FLAG_NEXT).map(|entity| entity.id);
    assert_eq!([0, 1, 2, 3].map(next), [Ok(1), Ok(2), Ok(3), Err(Errno::EINVAL)]);
    assert_eq!(ask(0).err(), Some(Errno::EINVAL));
    let receiver = ask(RECEIVER).unwrap();
    assert_eq!((receiver.name, receiver.type_), (text("rcar_csi2 feaa0000.csi2"), MEDIA_ENT_T_V4L2_SUBDEV));
    assert_eq!((receiver.pads, receiver.links, &receiver.device[..2]), (3, 4, &[81, 128][..]));
    let vin = ask(vin_entity(1)).unwrap();
    assert_eq!((vin.name, vin.type_), (text("VIN1 output"), MEDIA_ENT_T_DEVNODE_V4L));
    assert_eq!((vin.pads, vin.links, &vin.device[..2]), (1, 0, &[81, 1][..]));
    let info = get(&media, MEDIA_IOC_DEVICE_INFO, zeroed_info()).unwrap();
    assert_eq!((info.driver, info.bus_info), (text("rcar_vin"), text("platform:rcar-vin-group")));
    assert_eq!((info.media_version, info.driver_version), (kernel_version(6, 12, 0), kernel_version(6, 12, 0)));
}

fn zeroed_info() -> media_device_info {
    load(&[0; media_device_info::SIZE]).unwrap()
}

#[test]
fn a_vin_has_one_link_at_a_time_and_keeps_it_while_it_streams() {
    let (group, machine, media) = machine();
    let (vin, on) = ((vin_entity(0), 0), MEDIA_LNK_FL_ENABLED);
    let route = || group.vin(0).unwrap().routes.get(0);
    assert_eq!((route(), link(&media, 1, vin, on), route()), (Some(0), Ok(()), Some(0)), "it is on");
    assert_eq!((link(&media, 2, vin, OFF), route()), (Ok(()), Some(0)), "it is off");
    assert_eq!((link(&media, 2, vin, on), route()), (Err(Errno::EBUSY), Some(0)), "another is on");
    let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 2).unwrap();
    assert_eq!((link(&media, 1, vin, OFF), route()), (Err(Errno::EBUSY), Some(0)), "it streams");
    drop(stream);
    assert_eq!((link(&media, 1, vin, OFF), route()), (Ok(()), None));
    // Nothing comes: a program that waits is told so.
    let video = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
    assert_eq!(video.poll(PollEvents::IN, Some(Duration::ZERO)), Ok(PollEvents::ERR));
    assert_eq!((link(&media, 2, vin, on), route()), (Ok(()), Some(1)));
}

#[test]
fn only_a_link_that_there_is_can_be_set() {
    let (_group, _machine, media) = machine();
    let on = MEDIA_LNK_FL_ENABLED;
    for (source, sink, flags) in [
        (0, (vin_entity(0), 0), on),
        (1 + CHANNELS as u16, (vin_entity(0), 0), on),
        (1, (vin_entity(0), 1), on),
        (1, (vin_entity(2), 0), on),
        (1, (RECEIVER, 0), on),
        (1, (vin_entity(0), 0), on | MEDIA_LNK_FL_IMMUTABLE),
    ] {
        assert_eq!(link(&media, source, sink, flags), Err(Errno::EINVAL), "{source} {sink:?} {flags}");
    }
    let sink = pad(vin_entity(0), 0);
    let from_vin = media_link_desc { source: pad(vin_entity(1), 1), sink, flags: on, ..zeroed() };
    assert_eq!(get(&media, MEDIA_IOC_SETUP_LINK, from_vin).err(), Some(Errno::EINVAL));
}
