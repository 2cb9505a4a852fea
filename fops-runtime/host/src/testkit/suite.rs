//! The whole run: which scenarios, in which order, with what in flight.
use crate::nodes::node::Node;
use crate::testkit::act::{Act, Answer};
use crate::testkit::finding::Finding;
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::mounted::Mounted;
use crate::testkit::patience::Patience;
use crate::testkit::plan::Plan;
use crate::testkit::report::{NotTried, Report};
use crate::testkit::scenario::{self, Scenario};
use crate::testkit::seed::Seed;
use crate::testkit::subdevs::{self, MadeSubdev};
use crate::testkit::trace::{Met, key};
use crate::testkit::world::{Place, World};
use fops_runtime::{Op, Policy, Result, Stay};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

/// One run.
pub(super) struct Suite<'a, H> {
    pub(super) plan: &'a Plan<H>,
    pub(super) patience: Patience,
    /// `None` before the first scenario, and after one that hangs.
    pub(super) world: Option<World<H>>,
    pub(super) report: Report,
    /// How each act goes while nobody unplugs.
    pub(super) habits: BTreeMap<String, Habit>,
    /// The acts that unplug could not end: they are left out from then on.
    pub(super) hanging: BTreeSet<String>,
    /// The acts that have the device removed: they are left out where the kit does that alone.
    pub(super) removing: BTreeSet<String>,
    /// The device lets one file be open at a time: `open` answers `EBUSY` otherwise.
    pub(super) one_file: bool,
    /// The operations that do harm on a file whose device is gone: they are called once.
    pub(super) hanging_ops: BTreeSet<(&'static str, &'static str)>,
    /// Of the author's checks, by number.
    pub(super) failed_checks: BTreeSet<usize>,
    pub(super) ops: Vec<&'static Op>,
    /// Those that this world's probes have made, and whose release op has not run yet.
    pub(super) subdevs: Vec<MadeSubdev>,
    pub(super) met: Met,
    /// The scenario that runs, for findings.
    pub(super) now: String,
    pub(super) seed: u64,
    /// The number of this run among those of its test.
    pub(super) run: usize,
    /// While the scenarios are played on nodes.
    pub(super) mounted: Option<Mounted>,
    /// The order that showed a race.
    pub(super) failed_seed: Option<u64>,
    /// What the hardware does meanwhile has hung.
    pub(super) disturb_hangs: bool,
    /// Something has been left behind before, which is waited for once.
    pub(super) has_leaked: bool,
    /// How many scenarios hung without an act to blame.
    pub(super) hung: usize,
}

/// How an act goes while nobody unplugs.
#[derive(Default, Clone)]
pub(super) struct Habit {
    /// What it answered.
    pub(super) answers: HashSet<Answer>,
    /// It returned while the hardware did something.
    pub(super) returns: bool,
    /// The sections that it opened.
    pub(super) opened: Vec<&'static Op>,
}

/// So many scenarios may hang without an act to blame before the kit gives up.
const HUNG: usize = 2;

impl<'a, H: Send + Sync + 'static> Suite<'a, H> {
    pub(super) fn new(plan: &'a Plan<H>, run: usize) -> Self {
        Self {
            plan,
            patience: Patience::measure(),
            world: None,
            report: Report::default(),
            habits: BTreeMap::new(),
            hanging: BTreeSet::new(),
            removing: BTreeSet::new(),
            one_file: false,
            hanging_ops: BTreeSet::new(),
            failed_checks: BTreeSet::new(),
            ops: Vec::new(),
            subdevs: Vec::new(),
            met: Met::default(),
            now: String::new(),
            seed: Seed::given(),
            run,
            mounted: None,
            failed_seed: None,
            disturb_hangs: false,
            has_leaked: false,
            hung: 0,
        }
    }

    pub(super) fn run(mut self) -> Report {
        let began = Instant::now();
        self.report.test = thread::current().name().map(Into::into);
        self.learn_files();
        for act in &self.plan.acts {
            self.learn(act);
        }
        for scenario in scenario::hotunplug() {
            self.play(&scenario, &[]);
            for act in &self.plan.acts {
                self.play(&scenario, &[act]);
            }
            self.play_with_several(&scenario);
        }
        for scenario in scenario::causes() {
            self.play_with_all(&scenario);
        }
        self.acts_remove();
        self.each_op_in_flight();
        self.orders();
        self.on_nodes();
        self.unload();
        self.beside();
        self.probe_fails();
        self.removal_fails();
        self.leave();
        self.report.not_tried = self.not_tried();
        self.report.seed = self.failed_seed;
        self.report.took = began.elapsed();
        self.report
    }

    /// With all acts, if that is more than one of them does.
    pub(super) fn play_with_several(&mut self, scenario: &Scenario) {
        if self.plan.acts.iter().filter(|act| self.leaves_it(act)).count() > 1 {
            self.play_with_all(scenario);
        }
    }

    pub(super) fn play_with_all(&mut self, scenario: &Scenario) {
        self.play(scenario, &self.plan.acts.iter().collect::<Vec<_>>());
    }

    /// Has each operation that an act calls in its section when unplug begins.
    fn each_op_in_flight(&mut self) {
        let mut is_first = true;
        for act in &self.plan.acts {
            let opened = self.habits.get(&act.name).map(|habit| habit.opened.clone()).unwrap_or_default();
            for op in opened {
                scenario::in_flight(op).for_each(|scenario| self.play(&scenario, &[act]));
                if std::mem::take(&mut is_first) {
                    scenario::once_in_flight(op).for_each(|scenario| self.play(&scenario, &[act]));
                }
            }
        }
    }

    /// Whether the act ends, and leaves it to the kit to remove the device.
    pub(super) fn leaves_it(&self, act: &Act) -> bool {
        !self.hanging.contains(&act.name) && !self.removing.contains(&act.name)
    }

    /// Plays one scenario, unless so much hangs already that it can tell nothing.
    pub(super) fn play(&mut self, scenario: &Scenario, load: &[&Act]) {
        let has_part =
            |act: &&Act| self.leaves_it(act) || (scenario.twist.op().is_some() && !self.hanging.contains(&act.name));
        let wanted = load;
        let load: Vec<_> = load.iter().copied().filter(has_part).collect();
        if self.hung >= HUNG || (load.is_empty() && !wanted.is_empty()) {
            return;
        }
        self.round(scenario, &load);
    }

    /// Has the device bound. `None`, with a finding, where that fails.
    pub(super) fn plugged(&mut self) -> Option<Vec<Arc<Node>>> {
        if self.world.is_none() {
            // Those of the world before may hang with it.
            self.subdevs.clear();
        }
        let world = self.world.get_or_insert_with(|| (self.plan.make)());
        let (bus, driver, device) = (world.bus.clone(), world.driver.clone(), world.device.clone());
        let (to, to_bind) = (bus.clone(), bus.clone());
        let name = device.clone();
        let came = (self.place().is_some() || self.comes(move || to.rescan(), "rescan"))
            // The bus forgets the driver of a device that was removed unbound.
            && (self.place() != Some(Place::Unbound) || self.comes(move || to_bind.bind(&driver, &name), "bind"));
        if !came {
            self.leave();
            return None;
        }
        let nodes = bus.nodes_of_all(&device);
        self.know(nodes.iter().flat_map(|node| node.ops()));
        if nodes.is_empty() {
            self.find(
                format!("the device `{device}` has no node after probe"),
                "register a node in probe: `probe.register_node(..)`",
            );
        }
        Some(nodes)
    }

    /// Runs a step that brings the device back. Whether it succeeded.
    pub(super) fn comes(&mut self, step: impl FnOnce() -> Result + Send + 'static, what: &str) -> bool {
        let (subdevs, step) = subdevs::noted(step);
        let came = in_time(self.patience, step);
        self.note_subdevs(&mut subdevs.lock());
        match came {
            Ok(Ok(())) => return true,
            Ok(Err(errno)) => self.find(
                format!("{what} fails: {errno}"),
                "give back all that probe took: in `remove`, and in probe itself where it fails half-way",
            ),
            Err(Late::Hangs(place)) => {
                self.hung += 1;
                self.find(
                    format!("{what} hangs: the thread {place}"),
                    "probe must not wait for what an earlier device left behind",
                );
            }
            // The bus has caught it before.
            Err(Late::Panicked) => self.find(format!("{what} panics"), "return the error"),
        }
        false
    }

    /// Leaves the machine behind.
    pub(super) fn leave(&mut self) {
        let Some(world) = self.world.take() else { return };
        // Elsewhere: the driver's destructor may hang.
        if let Err(late) = in_time(self.patience, move || drop(world)) {
            self.destructor(late);
        }
    }

    /// The driver's destructor does not come to its end.
    pub(super) fn destructor(&mut self, late: Late) {
        let what = match late {
            Late::Hangs(place) => format!("hangs: the thread {place}"),
            Late::Panicked => "panics".into(),
        };
        self.find(
            format!("the driver's destructor {what}"),
            "end the driver's own threads before it is dropped, and wait for nothing else",
        );
    }

    /// Probe has made these.
    pub(super) fn note_subdevs(&mut self, made: &mut Vec<MadeSubdev>) {
        // That a release op runs is looked at when all is over; it has no section.
        self.know(made.iter().flat_map(|subdev| subdev.ops).filter(|op| op.name() != "release"));
        self.subdevs.append(made);
    }

    /// These operations are the driver's.
    pub(super) fn know(&mut self, ops: impl IntoIterator<Item = &'static Op>) {
        for op in ops {
            if !self.ops.iter().any(|known| key(known) == key(op)) {
                self.ops.push(op);
            }
        }
    }

    pub(super) fn find(&mut self, problem: String, help: &str) {
        self.report.find(Finding { scenario: self.now.clone(), problem, help: help.into() });
    }

    /// The operations of the table that no unplug met.
    fn not_tried(&self) -> Vec<NotTried> {
        let not_tried = |op: &&'static Op| {
            let (in_section, called) = (self.met.sections.contains(&key(op)), self.met.calls.contains(op.name()));
            let why = match op.policy() {
                Policy::Guarded if !in_section => "no act had it in flight when the device went",
                Policy::Always if !in_section && !called && !self.met.after.contains(op.name()) => {
                    "it runs after unplug too (`always`), and nobody called it then"
                }
                Policy::Unguarded { .. } if !called && !self.met.after.contains(op.name()) => {
                    "it is unguarded, and nobody called it while the device went or after"
                }
                Policy::Guarded | Policy::Always if op.stay() == Stay::Sleeps && !self.met.slept.contains(&key(op)) => {
                    "it is declared `sleeps`, and no act slept in it when the device went"
                }
                _ => return None,
            };
            let excuse = self.plan.excuses.iter().find(|(name, _)| name == op.name());
            let excuse = excuse.map(|(_, why)| why.clone());
            Some(NotTried { op: op.name(), what: op.to_string(), why: why.into(), excuse })
        };
        self.ops.iter().copied().filter_map(|op| not_tried(&op)).collect()
    }
}
