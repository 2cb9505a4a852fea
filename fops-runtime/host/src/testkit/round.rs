//! One scenario: the device is used, goes, comes back, and is used again.
use crate::nodes::node::Node;
use crate::testkit::act::{Act, Answer};
use crate::testkit::actor::{Actor, End};
use crate::testkit::ambush::Ambush;
use crate::testkit::disturber::Disturber;
use crate::testkit::going::Gone;
use crate::testkit::held::Held;
use crate::testkit::in_time::{Elsewhere, in_time};
use crate::testkit::report::Row;
use crate::testkit::scenario::{Close, Scenario, Twist, Way};
use crate::testkit::suite::{Habit, Suite};
use crate::testkit::trace::Guide;
use fops_runtime::Errno;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long the device stays away with a file open, where that is closed before it comes back.
const LINGER: Duration = Duration::from_millis(20);

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// Sees how an act goes while nobody unplugs.
    pub(super) fn learn(&mut self, act: &Act) {
        self.now = format!("nobody unplugs, with \"{}\"", act.name);
        let Some(nodes) = self.plugged() else { return };
        let actors = self.start(&[act], &nodes, None);
        self.settle(&actors);
        let [actor] = &*actors else { return };
        if !self.is_bound() {
            self.removing.insert(act.name.clone());
        }
        let disturber = self.disturb();
        let enough = || match &disturber {
            Some(disturber) => disturber.times() >= 50 || (disturber.times() > 0 && actor.progress().returned > 1),
            None => true,
        };
        let is_enough = self.patience.until(enough);
        // A poll that suspects something has a limit of its own.
        self.patience.until(|| !actor.trace.state().suspects);
        self.patience.until(|| !actor.trace.state().suspects);
        let progress = actor.progress();
        let (answers, returns) = (progress.before.clone(), progress.returned > 1);
        drop(progress);
        let opened = actor.trace.state().opened.clone();
        self.habits.insert(act.name.clone(), Habit { answers, returns, opened });
        if let Some(disturber) = disturber.filter(|disturber| !is_enough && disturber.times() == 0) {
            self.disturb_hangs = true;
            let place = disturber.whereabouts();
            self.find(
                format!("`disturb` hangs: the thread {place}"),
                "do what the hardware does once, and wait for nothing",
            );
        }
        self.now = format!("the first unplug, with \"{}\" in flight", act.name);
        self.goes(Way::Unbind, Twist::Plain, actors, None);
    }

    /// Plays a scenario.
    pub(super) fn round(&mut self, scenario: &Scenario, load: &[&Act]) {
        let names = match load {
            [] => "nothing".into(),
            [act] => format!("\"{}\"", act.name),
            acts => format!("all {}", acts.len()),
        };
        self.now = format!("{}, with {names} in flight", scenario.name);
        let found = self.report.findings.len();
        let gone = self.play_round(scenario, load);
        let is_bad = gone.is_none() || self.report.findings.len() > found;
        self.report.rows.push(Row {
            scenario: scenario.name.clone(),
            load: names,
            answers: gone.as_ref().map_or_else(|| "-".into(), |gone| gone.answers.clone()),
            worst: gone.as_ref().and_then(|gone| gone.last),
            removal: gone.map(|gone| gone.removal),
            is_bad,
        });
    }

    /// `None` where the round ended early.
    fn play_round(&mut self, scenario: &Scenario, load: &[&Act]) -> Option<Gone> {
        let mut held = Vec::new();
        let gone = self.play_with(scenario, load, &mut held);
        self.close(&mut held);
        gone
    }

    fn play_with(&mut self, scenario: &Scenario, load: &[&Act], held: &mut Vec<Arc<Held>>) -> Option<Gone> {
        let nodes = self.plugged()?;
        let mut states = self.own_states();
        let ambush = scenario.twist.op().map(|op| Arc::new(Ambush::new(op, self.deed(scenario.twist), self.patience)));
        // If only one file may be open, that is the acts'.
        if scenario.close != Close::NoFile && (load.is_empty() || !self.one_file) {
            held.extend(nodes.iter().filter_map(|node| self.hold_open(node)));
        }
        let (removing, staying): (Vec<&Act>, Vec<&Act>) =
            load.iter().partition(|act| self.removing.contains(&act.name));
        let mut actors = self.start(&staying, &nodes, ambush.as_ref());
        if scenario.twist.op().is_none() {
            self.settle(&actors);
            self.are_well(&actors, load);
        }
        actors.extend(self.start(&removing, &nodes, ambush.as_ref()));
        if scenario.twist.op().is_none() {
            self.settle(&actors);
        }
        let hardware = self.hardware();
        let disturber = self.disturb();
        let gone = self.goes(scenario.way, scenario.twist, actors, ambush.as_deref())?;
        self.is_away(&nodes, &hardware);
        self.answer_gone(held)?;
        drop(disturber);
        if scenario.close == Close::Early {
            // A timer that the driver has forgotten may fire here.
            thread::sleep(LINGER);
            self.is_away(&nodes, &hardware);
            self.close(held);
            self.is_away(&nodes, &hardware);
        }
        drop((nodes, hardware));
        if scenario.way == Way::Surprise || matches!(scenario.twist, Twist::Worsens(_)) {
            self.surprise(1);
        }
        let nodes = self.plugged()?;
        states.extend(self.own_states());
        self.answer_gone(held)?;
        if scenario.close == Close::Late {
            self.close(held);
        }
        let load = &staying[..];
        let actors = self.start(load, &nodes, None);
        self.settle(&actors);
        self.are_well(&actors, load);
        let disturber = self.disturb();
        if let [act] = load
            && self.habits.get(&act.name).is_some_and(|habit| habit.returns)
            && !self
                .patience
                .until(|| actors.iter().all(|actor| actor.progress().returned > 1 || actor.end().is_some()))
        {
            self.hanging.insert(act.name.clone());
            self.find(
                format!(
                    "the device does not work after it came back: the act \"{}\" sleeps, and returned before",
                    act.name
                ),
                "probe has to set up anew all that the stop hook took down",
            );
        }
        drop(disturber);
        let hardware = self.hardware();
        self.goes(Way::Unbind, Twist::Plain, actors, None)?;
        self.close(held);
        self.is_away(&nodes, &hardware);
        drop(hardware);
        let ids: Vec<_> = nodes.iter().map(|node| node.id()).collect();
        // Elsewhere: the driver's destructors may hang.
        let _ = in_time(self.patience, move || drop(nodes));
        self.nothing_is_left(&ids, &states);
        Some(gone)
    }

    /// Opens a file, as a client does.
    pub(super) fn hold_open(&self, node: &Arc<Node>) -> Option<Arc<Held>> {
        let client = self.mounted.as_ref().map_or_else(|| node.clone(), |mounted| mounted.node(node.name()));
        Held::open(node, client, self.patience).map(Arc::new)
    }

    /// The node that the act is meant for.
    pub(super) fn node_for(&self, act: &Act, nodes: &[Arc<Node>]) -> Option<Arc<Node>> {
        let bus = &self.world.as_ref()?.bus;
        let has = |device: &&String| bus.device_names().iter().any(|(name, _)| name == *device);
        match act.on.as_ref().filter(has) {
            Some(device) => bus.nodes(device).first().cloned(),
            None => nodes.iter().find(|node| act.is_on(node)).cloned(),
        }
    }

    /// Starts the acts.
    pub(super) fn start(&mut self, load: &[&Act], nodes: &[Arc<Node>], ambush: Option<&Arc<Ambush>>) -> Vec<Actor> {
        let guide = ambush.map(|ambush| ambush.clone() as Arc<dyn Guide>);
        let mut actors = Vec::new();
        for act in load {
            match self.node_for(act, nodes) {
                Some(ref node) => match &self.mounted {
                    None => actors.push(Actor::start(act, node, guide.clone(), self.patience)),
                    Some(mounted) => {
                        let path = mounted.path(node.name());
                        match self.process(act, path) {
                            Ok(process) => actors.push(Actor::start_process(&act.name, process, node)),
                            Err(error) => self.find(error, "what the test does before `run` is done for each act"),
                        }
                    }
                },
                None => {
                    let names: Vec<_> = nodes.iter().map(|node| node.name()).collect();
                    self.find(
                        format!("no node for the act \"{}\"", act.name),
                        &format!("name the node as probe registers it; there are {names:?}"),
                    );
                }
            }
        }
        actors
    }

    /// Waits until each act does what it does.
    pub(super) fn settle(&mut self, actors: &[Actor]) {
        for actor in actors {
            let is_settled = self.patience.until(|| actor.is_settled());
            if !is_settled || (actor.trace.state().called == 0 && actor.end().is_none()) {
                self.find(
                    format!("the act \"{}\" calls no operation of the driver", actor.name),
                    "open a file and call the driver in the act",
                );
            }
        }
    }

    /// The acts go as they always do.
    fn are_well(&mut self, actors: &[Actor], load: &[&Act]) {
        for actor in actors {
            let progress = actor.progress();
            let (end, before) = (progress.end, progress.before.clone());
            drop(progress);
            let habit = self.habits.get(&actor.name).cloned().unwrap_or_default();
            for answer in before {
                // The server hears of a close later than the process that closed the file.
                let is_closing = answer == Answer::Failed(Errno::EBUSY) && self.one_file && actor.is_process();
                if habit.answers.contains(&answer) || is_closing {
                    continue;
                }
                let is_new = matches!(answer, Answer::Failed(_)) && load.len() == 1;
                if is_new || answer.is_gone() {
                    let help = if answer == Answer::Failed(Errno::EBUSY) {
                        "what one file takes, its `release` has to give back, which runs after unplug too"
                    } else {
                        "what the stop hook sets has to be of this device, and set anew when it is probed again"
                    };
                    self.find(format!("the device is there, and the act \"{}\" answers {answer}", actor.name), help);
                }
            }
            if let Some((End::Panicked, _)) = end {
                self.find(format!("the act \"{}\" panicked", actor.name), "return errors from the act");
            }
        }
    }

    /// What the author's closures are given for the device under test.
    pub(super) fn hardware(&self) -> Elsewhere<Option<Arc<H>>> {
        Elsewhere::new(self.world.as_ref().and_then(|world| world.hardware()))
    }

    pub(super) fn disturb(&self) -> Option<Disturber> {
        self.disturb_device(&self.world.as_ref()?.device)
    }

    pub(super) fn disturb_device(&self, device: &str) -> Option<Disturber> {
        let hardware = self.world.as_ref().and_then(|world| (world.hardware)(device))?;
        if self.disturb_hangs {
            return None;
        }
        self.plan.disturb.clone().map(|disturb| Disturber::start(disturb, hardware))
    }
}
