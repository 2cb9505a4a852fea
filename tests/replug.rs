//! A device is plugged again while old files are open: new ones work, old ones answer `ENODEV`, and no number is used
//! twice meanwhile. A driver is not unloaded under an open file.
use fops_runtime::Errno;
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use std::collections::BTreeSet;
use system_tests::{Act, Actor, Host, check, eventually, hosts, machine_with};

const VINS: [&str; 2] = [DEVICE, "e6ef1000.video"];
const GENERATIONS: usize = 4;

/// The nodes that work.
fn nodes(host: &dyn Host) -> BTreeSet<String> {
    let nodes = host.machine().devices.all();
    nodes.iter().filter(|node| !node.is_unplugged()).map(|node| node.name().to_owned()).collect()
}

fn name(nodes: &[&str]) -> BTreeSet<String> {
    nodes.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn generations_of_files_live_side_by_side() {
    for host in hosts(|| machine_with(&VINS)) {
        let mut generations: Vec<Vec<Actor>> = Vec::new();
        let mut seen = BTreeSet::new();
        for _ in 0..GENERATIONS {
            let now = nodes(&*host);
            assert_eq!(now.len(), 4);
            assert!(seen.is_disjoint(&now), "{now:?} are used twice");
            for name in &now {
                host.client(Act::Check, name).meets_its_fate();
            }
            generations.push(now.iter().map(|name| host.client(Act::Hold, name)).collect());
            seen.extend(now);
            host.unbind(CSI2_DEVICE);
            assert_eq!(nodes(&*host), name(&[]));
            host.bind(CSI2_DEVICE);
        }
        assert_eq!(seen.len(), 4 * GENERATIONS);
        // Whichever goes first: the others stay what they are, and so do their numbers.
        let order = [2, 0, 3, 1];
        for generation in order {
            generations[generation].drain(..).for_each(|old| drop(old.meets_its_fate()));
            generations.iter().flatten().for_each(Actor::goes_on);
        }
        eventually("the old nodes go", || host.machine().devices.all().len() == 4);
        for name in nodes(&*host) {
            host.client(Act::Check, &name).meets_its_fate();
        }
        host.unbind(CSI2_DEVICE);
        host.bind(CSI2_DEVICE);
        assert_eq!(nodes(&*host), name(&["media0", "v4l-subdev0", "video0", "video1"]), "the numbers are free again");
        check(host.machine());
    }
}

#[test]
fn a_driver_is_not_unloaded_under_an_open_file() {
    for host in hosts(|| machine_with(&VINS)) {
        let bus = &host.machine().bus;
        for name in nodes(&*host) {
            let mut holder = host.client(Act::Hold, &name);
            assert_eq!(bus.unregister_driver(CSI2_DRIVER), Err(Errno::EBUSY), "{name}");
            let expected = if name.starts_with("video") { Err(Errno::EBUSY) } else { Ok(()) };
            if expected.is_err() {
                assert_eq!(bus.unregister_driver(DRIVER), expected, "{name}");
            }
            // Refused as a whole: it goes on, and works.
            host.client(Act::Check, &name).meets_its_fate();
            holder.release();
            drop(holder);
            eventually("its file is released", || bus.devices().get(&name).is_some_and(|node| node.open_files() == 0));
        }
        // Nor under one of a device that is gone but for it.
        let holder = host.client(Act::Hold, "video0");
        host.unbind(DEVICE);
        assert_eq!(bus.unregister_driver(DRIVER), Err(Errno::EBUSY));
        host.bind(DEVICE);
        assert_eq!(bus.unregister_driver(DRIVER), Err(Errno::EBUSY));
        assert_eq!(bus.unregister_driver(CSI2_DRIVER), Ok(()), "it has no open file");
        assert_eq!(bus.unregister_driver(DRIVER), Err(Errno::EBUSY));
        holder.meets_its_fate();
        eventually("its file is released", || bus.devices().all().is_empty());
        assert_eq!(bus.unregister_driver(DRIVER), Ok(()));
        eventually("the nodes go", || bus.devices().all().is_empty());
        check(host.machine());
    }
}
