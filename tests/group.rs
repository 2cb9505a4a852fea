//! Two VINs, a CSI-2 receiver and a media node: they come together, and go together, in whatever order.
use fops_host::Descriptor;
use fops_runtime::{Cause, Command, Errno, OpenFlags, PollEvents, Result};
use rcar_vin::client::{Role, Stream, get};
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::ioctls::VIDIOC_QUERYCAP;
use rcar_vin::media_uapi::*;
use rcar_vin::uapi::{Uapi, v4l2_capability, zeroed};
use std::collections::BTreeSet;
use std::sync::mpsc;
use system_tests::{Machine, Sleeper, check, eventually, machine_with, torn_down, unbind, vin};

const VINS: [&str; 2] = [DEVICE, "e6ef1000.video"];

fn names(machine: &Machine) -> BTreeSet<String> {
    machine.devices.all().iter().map(|node| node.name().to_owned()).collect()
}

fn open(machine: &Machine, name: &str) -> Descriptor {
    machine.devices.open(name, OpenFlags::RDWR).unwrap_or_else(|errno| panic!("{name}: {errno}"))
}

fn unbind_receiver(machine: &Machine) {
    torn_down(&machine.bus.unbind(CSI2_DRIVER, CSI2_DEVICE).unwrap());
}

fn link(vin: u32, channel: u16, enabled: bool) -> media_link_desc {
    media_link_desc {
        source: media_pad_desc { entity: 1, index: 1 + channel, ..zeroed() },
        sink: media_pad_desc { entity: 2 + vin, index: 0, ..zeroed() },
        flags: if enabled { MEDIA_LNK_FL_ENABLED } else { 0 },
        ..zeroed()
    }
}

fn ask<T: Uapi>(file: &Descriptor, command: Command, argument: T) -> Result<T> {
    get(file, command, argument)
}

/// A client that streams, and the end that it comes to.
fn streamer(machine: &Machine, name: &str) -> Sleeper<Result<rcar_vin::client::Fate>> {
    let (send, ready) = mpsc::channel();
    let file = open(machine, name);
    let streamer = Sleeper::awake("the streamer", move || Role::Stream.act(file, || send.send(()).unwrap()));
    ready.recv().unwrap();
    streamer
}

#[test]
fn nodes_appear_when_the_receiver_is_bound_and_all_go_with_it() {
    let machine = machine_with(&VINS);
    let all = ["media0", "v4l-subdev0", "video0", "video1"].map(String::from).into();
    assert_eq!(names(&machine), all);
    for _ in 0..20 {
        let streamers = ["video0", "video1"].map(|name| streamer(&machine, name));
        let media = open(&machine, "media0");
        unbind_receiver(&machine);
        for streamer in streamers {
            let fate = streamer.join().unwrap();
            assert!(Role::Stream.is_promised(&fate), "{fate}");
        }
        assert_eq!(ask::<media_device_info>(&media, MEDIA_IOC_DEVICE_INFO, zeroed()).err(), Some(Errno::ENODEV));
        drop(media);
        assert_eq!(names(&machine), BTreeSet::new());
        // The VINs themselves are still bound, stand still, and have let go of the node's memory.
        let bound: Vec<_> = machine.bus.device_names().into_iter().filter_map(|(_, driver)| driver).collect();
        assert_eq!(bound, [DRIVER, DRIVER]);
        for name in VINS {
            assert_eq!(vin(&machine, name).dma_mappings(), 0);
        }
        machine.bus.bind(CSI2_DRIVER, CSI2_DEVICE).unwrap();
        assert_eq!(names(&machine), all);
    }
    check(&machine);
}

#[test]
fn a_vin_goes_alone_and_comes_back() {
    let machine = machine_with(&VINS);
    let other = streamer(&machine, "video1");
    unbind(&machine, DEVICE);
    assert_eq!(names(&machine), ["media0", "v4l-subdev0", "video1"].map(String::from).into());
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    let mine = streamer(&machine, "video0");
    unbind_receiver(&machine);
    // Bound without a receiver: no node.
    unbind(&machine, DEVICE);
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    assert_eq!(names(&machine), BTreeSet::new());
    for streamer in [mine, other] {
        let fate = streamer.join().unwrap();
        assert!(Role::Stream.is_promised(&fate), "{fate}");
    }
    check(&machine);
}

/// The last reference to the subdev may go with the registration, with the last file, or with the VINs: whichever is
/// last, its release op runs then, and once.
#[test]
fn the_release_op_runs_once_after_the_last_reference_in_every_order() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Unbind,
        CloseOne,
        CloseOther,
        RemoveVin,
    }
    use Step::*;
    let orders = permutations(&[Unbind, CloseOne, CloseOther, RemoveVin]);
    assert_eq!(orders.len(), 24);
    for order in orders {
        let machine = machine_with(&VINS);
        let mut files = ["v4l-subdev0"; 2].map(|name| Some(open(&machine, name)));
        // A file of another node, held throughout, is no reference.
        let video = open(&machine, "video1");
        for (done, step) in order.iter().enumerate() {
            let last = order[..=done].iter().filter(|step| **step != RemoveVin).count() == 3;
            match step {
                Unbind => unbind_receiver(&machine),
                CloseOne => drop(files[0].take()),
                CloseOther => drop(files[1].take()),
                RemoveVin => drop(torn_down(&machine.bus.remove(VINS[0], Cause::Removal).unwrap())),
            }
            assert_eq!(machine.released(), u64::from(last), "{order:?} after {step:?}");
            for file in files.iter().flatten() {
                let capability = ask::<v4l2_subdev_capability>(file, VIDIOC_SUBDEV_QUERYCAP, zeroed());
                let gone = order[..=done].contains(&Unbind);
                assert_eq!(capability.err(), gone.then_some(Errno::ENODEV), "{order:?} after {step:?}");
            }
        }
        assert_eq!(ask::<v4l2_capability>(&video, VIDIOC_QUERYCAP, zeroed()).err(), Some(Errno::ENODEV));
        drop(video);
        machine.unbind_all().unwrap();
        assert_eq!(machine.released(), 1, "{order:?}");
        check(&machine);
    }
}

fn permutations<T: Copy>(items: &[T]) -> Vec<Vec<T>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let picks = (0..items.len()).flat_map(|pick| {
        let rest: Vec<_> = items.iter().enumerate().filter(|(at, _)| *at != pick).map(|(_, item)| *item).collect();
        permutations(&rest).into_iter().map(move |tail| [vec![items[pick]], tail].concat())
    });
    picks.collect()
}

#[test]
fn links_choose_the_channel_and_are_sections_of_the_vin() {
    let machine = machine_with(&VINS);
    let media = open(&machine, "media0");
    let setup = |link| ask(&media, MEDIA_IOC_SETUP_LINK, link).map(drop);
    let info = ask::<media_entity_desc>(
        &media,
        MEDIA_IOC_ENUM_ENTITIES,
        media_entity_desc { id: 2 | MEDIA_ENT_ID_FLAG_NEXT, ..zeroed() },
    );
    assert_eq!(info.unwrap().id, 3);
    // Two channels for one VIN, no such pad, no such VIN.
    assert_eq!(setup(link(0, 1, true)), Err(Errno::EBUSY));
    assert_eq!(setup(link(0, 2, true)), Err(Errno::EINVAL));
    assert_eq!(setup(link(2, 0, true)), Err(Errno::EINVAL));
    // Without a link there is nothing to be captured.
    assert_eq!(setup(link(0, 0, false)), Ok(()));
    assert_eq!(Stream::start(open(&machine, "video0"), 5).err(), Some(Errno::EPIPE));
    assert_eq!(setup(link(0, 1, true)), Ok(()));
    let stream = Stream::start(open(&machine, "video0"), 5).unwrap();
    assert!(stream.dequeue().is_ok());
    assert_eq!(setup(link(0, 1, false)), Err(Errno::EBUSY));
    // A VIN that is gone has no links; its route is kept for the next node.
    unbind(&machine, DEVICE);
    assert_eq!(setup(link(0, 1, false)), Err(Errno::EINVAL));
    machine.bus.bind(DRIVER, DEVICE).unwrap();
    drop(stream);
    assert_eq!(setup(link(0, 0, true)), Err(Errno::EBUSY));
    check(&machine);
}

#[test]
fn the_receiver_is_not_unloaded_while_a_file_of_its_group_is_open() {
    let machine = machine_with(&VINS);
    for name in ["video0", "video1", "media0", "v4l-subdev0"] {
        let file = open(&machine, name);
        assert_eq!(machine.bus.unregister_driver(CSI2_DRIVER), Err(Errno::EBUSY), "{name}");
        drop(file);
    }
    let video = open(&machine, "video0");
    assert_eq!(machine.bus.unregister_driver(DRIVER), Err(Errno::EBUSY));
    drop(video);
    // It was refused as a whole: nothing is different.
    drop(open(&machine, "video1"));
    assert_eq!(machine.bus.unregister_driver(CSI2_DRIVER), Ok(()));
    assert_eq!(names(&machine), BTreeSet::new());
    assert_eq!(machine.bus.unregister_driver(DRIVER), Ok(()));
    check(&machine);
}

/// The receiver is pulled: its registers read as ones, the VINs' do not, and have to be stopped.
#[test]
fn a_receiver_that_is_pulled_leaves_no_vin_running() {
    let machine = machine_with(&VINS);
    let streamers = ["video0", "video1"].map(|name| streamer(&machine, name));
    machine.board.csi2().unwrap().surprise_remove();
    torn_down(&machine.bus.remove(CSI2_DEVICE, Cause::SurpriseRemoval).unwrap());
    for streamer in streamers {
        assert!(Role::Stream.is_promised(&streamer.join().unwrap()));
    }
    for name in VINS {
        assert_eq!(vin(&machine, name).absent_accesses(), 0, "the VINs are there");
    }
    // Not touched: it is gone.
    assert_eq!(machine.board.csi2().unwrap().absent_accesses(), 0);
    machine.board.csi2().unwrap().insert();
    machine.bus.rescan().unwrap();
    let stream = Stream::start(open(&machine, "video0"), 5).unwrap();
    assert!(stream.dequeue().is_ok());
    check(&machine);
}

/// The whole group goes down while each of its devices is unbound, removed and bound again by somebody else.
#[test]
fn everybody_unbinds_at_once() {
    let machine = machine_with(&VINS);
    for _ in 0..50 {
        let streamers = ["video0", "video1"].map(|name| streamer(&machine, name));
        let poller = open(&machine, "video0");
        let poller = Sleeper::awake("the poller", move || {
            loop {
                let mask = poller.poll(PollEvents::IN | PollEvents::PRI, None).unwrap();
                if mask.contains(PollEvents::HUP) {
                    return mask;
                }
            }
        });
        std::thread::scope(|scope| {
            for (driver, device) in [(DRIVER, VINS[0]), (DRIVER, VINS[1]), (CSI2_DRIVER, CSI2_DEVICE)] {
                let machine = &machine;
                scope.spawn(move || torn_down(&machine.bus.unbind(driver, device).unwrap()));
            }
        });
        for streamer in streamers {
            assert!(Role::Stream.is_promised(&streamer.join().unwrap()));
        }
        poller.join();
        eventually("all nodes go", || machine.devices.all().is_empty());
        std::thread::scope(|scope| {
            for (driver, device) in [(DRIVER, VINS[0]), (DRIVER, VINS[1]), (CSI2_DRIVER, CSI2_DEVICE)] {
                let machine = &machine;
                scope.spawn(move || machine.bus.bind(driver, device).unwrap());
            }
        });
        assert_eq!(machine.devices.all().len(), 4);
        // Whichever came first has the first number.
        if machine.devices.get("video0").is_none_or(|node| node.is_unplugged()) {
            panic!("{:?}", names(&machine));
        }
    }
    check(&machine);
}
