//! The unbind and bind loops of v4l-utils' `contrib/test/test-media`: idle, during a blocking DQBUF, and with files held
//! for random times on all nodes.
//!
//! A few rounds of each; more with `FOPS_ROUNDS`. `FOPS_SEED` repeats a run that failed.
use fops_runtime::Errno;
use rcar_vin::core::DEVICE;
use rcar_vin::csi2::CSI2_DEVICE;
use std::thread;
use std::time::Duration;
use system_tests::{Act, Actor, Host, Seed, Told, check, eventually, hosts, machine_with, vin};

const VINS: [&str; 2] = [DEVICE, "e6ef1000.video"];
const DEVICES: [&str; 3] = [VINS[0], VINS[1], CSI2_DEVICE];
/// The longest that a file is held, or a device stays away.
const LONGEST: Duration = Duration::from_millis(30);

fn rounds(default: usize) -> usize {
    std::env::var("FOPS_ROUNDS").map_or(default, |text| text.parse().expect("FOPS_ROUNDS is a number of rounds"))
}

/// The nodes of all devices.
fn nodes(host: &dyn Host) -> Vec<String> {
    let bus = &host.machine().bus;
    DEVICES.iter().flat_map(|device| bus.nodes(device)).map(|node| node.name().to_owned()).collect()
}

fn all_is_well(host: &dyn Host) {
    let nodes = nodes(host);
    assert_eq!(nodes.len(), 4, "{}: {nodes:?}", host.name());
    let checks: Vec<_> = nodes.iter().map(|node| host.start(Act::Check, node)).collect();
    checks.into_iter().for_each(|check| drop(check.ready().meets_its_fate()));
    check(host.machine());
}

#[test]
fn idle() {
    for host in hosts(|| machine_with(&VINS)) {
        for round in 0..rounds(10) {
            let device = DEVICES[round % DEVICES.len()];
            host.unbind(device);
            host.bind(device);
            all_is_well(&*host);
        }
    }
}

#[test]
fn during_a_blocking_dqbuf() {
    for host in hosts(|| machine_with(&VINS)) {
        for round in 0..rounds(10) {
            let device = [VINS[round % 2], CSI2_DEVICE][round / 2 % 2];
            VINS.iter().for_each(|name| vin(host.machine(), name).set_stalled(true));
            let sleepers: Vec<_> = VINS
                .iter()
                .map(|name| (name, host.client(Act::Sleep, host.machine().bus.nodes(name)[0].name())))
                .collect();
            host.unbind(device);
            for (name, sleeper) in sleepers {
                if *name == device || device == CSI2_DEVICE {
                    sleeper.meets_its_fate();
                } else {
                    // The other sleeps on, and is woken by its own device's end.
                    sleeper.goes_on();
                    host.unbind(name);
                    sleeper.meets_its_fate();
                    host.bind(name);
                }
            }
            host.bind(device);
            VINS.iter().for_each(|name| vin(host.machine(), name).set_stalled(false));
            all_is_well(&*host);
        }
    }
}

/// Whoever holds a file was told that the device is there, or that it is gone, and nothing else.
fn was_told(holder: Actor) {
    let what = holder.to_string();
    let end = holder.end();
    assert!(matches!(end.told, Told::Fine | Told::Errno(Errno::ENODEV)), "{what}: {end:?}");
}

#[test]
fn with_files_held_for_random_times_on_all_nodes() {
    let seed = Seed::new();
    for host in hosts(|| machine_with(&VINS)) {
        for _ in 0..rounds(10) {
            let nodes = nodes(&*host);
            let mut holders: Vec<_> = (0..1 + seed.below(8))
                .map(|_| (seed.time(LONGEST), host.client(Act::Hold, &nodes[seed.below(nodes.len())])))
                .collect();
            holders.sort_by_key(|(time, _)| *time);
            let order = seed.shuffled(DEVICES.to_vec());
            let away: Vec<_> = order.iter().map(|device| (*device, seed.time(LONGEST), seed.time(LONGEST))).collect();
            thread::scope(|scope| {
                for (device, before, between) in away {
                    let host = &*host;
                    scope.spawn(move || {
                        // Chance, not waiting: whatever has happened by then is the case that is tested.
                        thread::sleep(before);
                        host.unbind(device);
                        thread::sleep(between);
                        host.bind(device);
                    });
                }
                let mut now = Duration::ZERO;
                for (time, holder) in holders {
                    thread::sleep(time - now);
                    now = time;
                    was_told(holder);
                }
            });
            eventually("the old nodes go", || host.machine().devices.all().iter().all(|node| !node.is_unplugged()));
            all_is_well(&*host);
        }
    }
}
