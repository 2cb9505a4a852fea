//! Shells unbind and remove devices under clients of every kind: one VIN, the receiver that takes all nodes down, and all at
//! once. In process, threads do.
//!
//! The test kit plays the scenarios (`hotunplug.rs`). Here are several devices that go at the same time, clients of the others,
//! which have to go on all the while, and how long each client waited for its answer.
use fops_host::Node;
use rcar_vin::board::IrqReturn;
use rcar_vin::csi2::CSI2_DEVICE;
use std::collections::BTreeMap;
use std::fmt;
use std::io::{Write as _, stderr};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use system_tests::{Act, Actor, Host, Machine, check, driver_of, eventually, hosts, machine_with, vin};

/// The VINs, and what the clients of each do. The third one's sensor delivers nothing once the reader reads.
const VINS: [(&str, &[Act]); 4] = [
    ("e6ef0000.video", &[Act::Stream, Act::Ask, Act::Log, Act::Storm]),
    (STALLED, &[Act::Sleep, Act::Poll, Act::Epoll]),
    (READ, &[Act::Read]),
    ("e6ef3000.video", &[Act::Toggle]),
];
const STALLED: &str = "e6ef1000.video";
const READ: &str = "e6ef2000.video";

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Unbind,
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Target {
    Vin(&'static str),
    Receiver,
    All,
}

const TARGETS: [Target; 6] = [
    Target::Vin(VINS[0].0),
    Target::Vin(VINS[1].0),
    Target::Vin(VINS[2].0),
    Target::Vin(VINS[3].0),
    Target::Receiver,
    Target::All,
];

impl Target {
    /// The devices that go.
    fn devices(self) -> Vec<&'static str> {
        match self {
            Self::Vin(name) => vec![name],
            Self::Receiver => vec![CSI2_DEVICE],
            Self::All => VINS.iter().map(|(name, _)| *name).chain([CSI2_DEVICE]).collect(),
        }
    }

    /// Whether nodes of this device go with them.
    fn takes_down(self, device: &str) -> bool {
        match self {
            Self::Vin(name) => name == device,
            Self::Receiver | Self::All => true,
        }
    }
}

/// The devices that have nodes.
fn devices() -> impl Iterator<Item = &'static str> {
    VINS.iter().map(|(name, _)| *name).chain([CSI2_DEVICE])
}

/// From the flag to the answer, by what the client did. The server measures it.
#[derive(Default)]
struct Answers(BTreeMap<(Act, &'static str), Vec<Duration>>);

impl Answers {
    fn take(&mut self, nodes: &[Arc<Node>], actors: &BTreeMap<u32, Act>) {
        for answer in nodes.iter().flat_map(|node| node.answers()) {
            if let Some(act) = answer.client.and_then(|client| actors.get(&client.pid)) {
                self.0.entry((*act, answer.call)).or_default().push(answer.after);
            }
        }
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for ((act, call), times) in &self.0 {
            let mut times = times.clone();
            times.sort();
            let (median, worst) = (times[times.len() / 2], times[times.len() - 1]);
            writeln!(
                f,
                "  {:18} median {median:9.1?}  worst {worst:9.1?}  of {}",
                format!("{act:?}, {call}"),
                times.len()
            )?;
        }
        Ok(())
    }
}

fn go(host: &dyn Host, way: Way, device: &str) {
    match way {
        Way::Unbind => host.unbind(device),
        Way::Remove => host.remove(device),
    }
}

/// The clients of each device.
type Load = BTreeMap<&'static str, Vec<Actor>>;

struct Run<'h> {
    host: &'h dyn Host,
    load: Load,
    answers: Answers,
    what: String,
}

impl Run<'_> {
    fn machine(&self) -> &Machine {
        self.host.machine()
    }

    /// The nodes of the device that are there.
    fn nodes(&self, device: &str) -> Vec<Arc<Node>> {
        self.machine().bus.nodes(device)
    }

    /// Has clients of every kind at the device, unless they are there.
    fn occupy(&mut self, device: &'static str) {
        let nodes = self.nodes(device);
        let mut actors = Vec::new();
        if device == CSI2_DEVICE {
            for node in nodes {
                let acts: &[Act] = if node.name().starts_with("media") { &[Act::Ask] } else { &[Act::Ask, Act::Log] };
                actors.extend(acts.iter().map(|&act| self.host.client(act, node.name())));
            }
        } else {
            let acts = VINS.iter().find(|(name, _)| *name == device).unwrap().1;
            let sensor = vin(self.machine(), device);
            sensor.set_stalled(device == STALLED);
            actors.extend(acts.iter().map(|&act| self.host.client(act, nodes[0].name())));
            if device == READ {
                sensor.set_stalled(true);
                actors[0].falls_asleep();
            }
        }
        self.load.insert(device, actors);
    }

    fn come(&self, way: Way, target: Target) {
        match way {
            Way::Remove => self.host.rescan(),
            Way::Unbind => target.devices().into_iter().for_each(|device| self.host.bind(device)),
        }
    }

    /// While the devices are away the hardware is left alone.
    fn is_away(&self, target: Target, way: Way) {
        let machine = self.machine();
        for device in target.devices() {
            let bound = machine.bus.device_names().into_iter().find(|(name, _)| name == device);
            let expected = (way == Way::Unbind).then(|| (device.to_owned(), None));
            assert_eq!(bound, expected, "{}", self.what);
            // What is given back can be taken.
            if device == CSI2_DEVICE {
                assert!(machine.board.csi2().unwrap().ioremap().is_ok(), "{}: registers are mapped", self.what);
            } else {
                let vin = vin(machine, device);
                assert!(vin.ioremap().is_ok(), "{}: registers are mapped", self.what);
                assert!(vin.request_irq(|| IrqReturn::None).is_ok(), "{}: the interrupt is taken", self.what);
            }
        }
        for (name, _) in VINS.iter().filter(|(name, _)| target.takes_down(name)) {
            assert_eq!(vin(machine, name).dma_mappings(), 0, "{}: {name}", self.what);
        }
    }

    /// Every node is there and answers, and the pictures come.
    fn is_healthy(&self) {
        let machine = self.machine();
        let mut checks = Vec::new();
        for device in devices() {
            let driver =
                machine.bus.device_names().into_iter().find(|(name, _)| name == device).and_then(|(_, driver)| driver);
            assert_eq!(driver.as_deref(), Some(driver_of(device)), "{}: {device}", self.what);
            let nodes = self.nodes(device);
            assert_eq!(nodes.len(), if device == CSI2_DEVICE { 2 } else { 1 }, "{}: {device}", self.what);
            if let Some(actors) = self.load.get(device) {
                // It was not concerned.
                actors.iter().for_each(Actor::goes_on);
                continue;
            }
            if device != CSI2_DEVICE {
                vin(machine, device).set_stalled(false);
            }
            checks.extend(nodes.iter().map(|node| self.host.start(Act::Check, node.name())));
        }
        checks.into_iter().for_each(|check| drop(check.ready().meets_its_fate()));
        if let Some(actors) = self.load.get(VINS[0].0) {
            let (vin, before) = (vin(machine, VINS[0].0), vin(machine, VINS[0].0).frames());
            eventually(&format!("{}: {} goes on", self.what, actors[0]), || vin.frames() > before);
        }
        assert_eq!(machine.faults(), Vec::<String>::new(), "{}", self.what);
    }

    fn round(&mut self, way: Way, target: Target) {
        self.what = format!("{way:?} of {target:?}, {}", self.host.name());
        let idle: Vec<_> = devices().filter(|device| !self.load.contains_key(device)).collect();
        idle.into_iter().for_each(|device| self.occupy(device));
        let nodes: Vec<_> =
            devices().filter(|device| target.takes_down(device)).flat_map(|device| self.nodes(device)).collect();
        let held: Vec<_> = nodes.iter().map(|node| self.host.client(Act::Hold, node.name())).collect();

        // Several at once, as they come.
        thread::scope(|scope| {
            for device in target.devices() {
                let host = self.host;
                scope.spawn(move || go(host, way, device));
            }
        });
        self.is_away(target, way);
        self.come(way, target);
        let names: Vec<_> = self
            .machine()
            .devices
            .all()
            .iter()
            .filter(|node| !node.is_unplugged())
            .map(|node| node.name().to_owned())
            .collect();
        let old = nodes.iter().find(|node| names.iter().any(|name| name == node.name()));
        assert!(old.is_none(), "{}: the number of {old:?} is reused", self.what);
        held.into_iter().for_each(|holder| drop(holder.meets_its_fate()));
        let concerned: Vec<_> = self.load.keys().copied().filter(|device| target.takes_down(device)).collect();
        let actors: Vec<_> = concerned.iter().flat_map(|device| self.load.remove(device).unwrap()).collect();
        let acts: BTreeMap<_, _> = actors.iter().map(|actor| (actor.pid(), actor.act())).collect();
        actors.into_iter().for_each(|actor| drop(actor.meets_its_fate()));
        self.is_healthy();
        self.answers.take(&nodes, &acts);
        eventually(&format!("{}: the old nodes go", self.what), || {
            self.machine().devices.all().iter().all(|node| !node.is_unplugged())
        });
    }
}

#[test]
fn devices_go_under_clients_of_every_kind() {
    for host in hosts(|| machine_with(&VINS.map(|(name, _)| name))) {
        let began = std::time::Instant::now();
        for (name, _) in VINS {
            vin(host.machine(), name).set_frame_rate(500.0);
        }
        let mut run = Run { host: &*host, load: Load::new(), answers: Answers::default(), what: String::new() };
        for way in [Way::Unbind, Way::Remove] {
            TARGETS.into_iter().for_each(|target| run.round(way, target));
        }
        let Run { load, answers, .. } = run;
        // Past the capture of tests that pass.
        let (name, rounds) = (host.name(), 2 * TARGETS.len());
        let report = format!(
            "unplug {name}: {rounds} rounds in {:.1?}\nfrom the flag to the answer:\n{answers}",
            began.elapsed()
        );
        stderr().write_all(report.as_bytes()).unwrap();
        host.machine().unbind_all().unwrap();
        load.into_values().flatten().for_each(|actor| drop(actor.meets_its_fate()));
        check(host.machine());
    }
}
