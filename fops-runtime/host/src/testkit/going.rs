//! The device goes: the removal begins, meets what is in flight, and ends.
use crate::bus::Removal;
use crate::testkit::act::Answer;
use crate::testkit::actor::{Actor, End};
use crate::testkit::ambush::{Ambush, Deed};
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::scenario::{Twist, Way};
use crate::testkit::suite::Suite;
use crate::testkit::trace::key;
use fops_runtime::{Cause, Errno, Result};
use std::cmp::Ordering;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How a removal ended.
pub(super) struct Gone {
    pub(super) removal: Duration,
    pub(super) answers: String,
    /// From the unplug to the last answer.
    pub(super) last: Option<Duration>,
}

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// What becomes of the operation that is caught in its section.
    pub(super) fn deed(&self, twist: Twist) -> Deed {
        match (twist, &self.world) {
            (Twist::Panics(_), _) => Deed::Panic,
            (Twist::Inside(_), Some(world)) => {
                let (bus, driver, device) = (world.bus.clone(), world.driver.clone(), world.device.clone());
                Deed::Run(Box::new(move || {
                    // It is refused to wait for itself; the removal goes on.
                    let _ = bus.unbind(&driver, &device).and_then(|removal| removal.wait());
                }))
            }
            _ => Deed::Hold,
        }
    }

    /// Unplugs the device, and waits until it is gone and the acts have ended. `None`, with findings, where that hangs: then
    /// the world is left behind.
    pub(super) fn goes(&mut self, way: Way, twist: Twist, actors: Vec<Actor>, ambush: Option<&Ambush>) -> Option<Gone> {
        if let Some(ambush) = ambush
            // An act that is not always the same may never come there again.
            && !self.patience.until(|| ambush.has_caught() || actors.iter().all(|actor| actor.end().is_some()))
        {
            ambush.release();
        }
        let asleep = actors.iter().filter(|actor| actor.sleeps_in_driver()).filter_map(|actor| actor.trace.section());
        self.met.slept.extend(asleep.map(key));
        let world = self.world.as_ref()?;
        let (bus, driver, device) = (world.bus.clone(), world.driver.clone(), world.device.clone());
        let began = Instant::now();
        if way == Way::Surprise {
            self.surprise(0);
        }
        let removal = match begin(way, &bus, &driver, &device) {
            // An operation or the hardware was faster: it has asked for the removal, which is over already.
            Err(Errno::ENODEV)
                if matches!(twist, Twist::Inside(_))
                    || way == Way::Surprise
                    || actors.iter().any(|actor| self.removing.contains(&actor.name)) =>
            {
                None
            }
            Err(Errno::ENODEV) => {
                self.find(
                    "the device was removed, and not by the kit".into(),
                    "`disturb` must not have the device removed; an act that does begins with that: it has a scenario of its own",
                );
                self.leave_behind(actors);
                return None;
            }
            Err(errno) => {
                self.find(format!("the removal cannot begin: {errno}"), "let the bus alone remove the device");
                self.leave_behind(actors);
                return None;
            }
            Ok(removal) => Some(removal),
        };
        let second = match twist {
            Twist::Twice => begin(way, &bus, &driver, &device).ok(),
            Twist::Worsens(_) => {
                // It begins for the lesser cause.
                self.patience.until(|| actors.iter().all(|actor| actor.node().is_unplugged()));
                self.surprise(0);
                let second = begin(Way::Surprise, &bus, &driver, &device).ok();
                self.all_are_told(&actors);
                second
            }
            _ => None,
        };
        if let Some(ambush) = ambush {
            self.hold(twist, removal.as_deref(), &actors);
            ambush.release();
        }
        for removal in removal.iter().chain(&second) {
            if !self.patience.sleeping_until(|pause| !matches!(removal.wait_for(pause), Ok(None))) {
                self.removal_hangs(removal, &actors);
                self.leave_behind(actors);
                return None;
            }
        }
        if removal.is_none() {
            self.patience.until(|| self.is_removed());
        }
        let took = began.elapsed();
        match removal.as_ref().map(|removal| removal.wait()) {
            Some(Err(Errno::EIO)) => self.find(
                "the driver panics in `remove`, or while its resources are dropped".into(),
                "a removal has no caller to tell: log the error and go on",
            ),
            Some(Err(errno)) => self.find(
                format!("the removal fails: {errno}"),
                "leave unplug to the bus: an operation that wants its device gone calls `bus_device.remove(..)`",
            ),
            Some(Ok(_)) | None => {}
        }
        self.is_removed_once();
        actors.iter().for_each(Actor::removal_is_over);
        if !self.patience.until(|| actors.iter().all(|actor| actor.end().is_some())) {
            self.acts_hang(&actors);
            self.leave_behind(actors);
            return None;
        }
        Some(self.ended(actors, twist, took, began))
    }

    /// The driver's `remove` has run once for each probe of a device that is not bound any more.
    fn is_removed_once(&mut self) {
        let Some(world) = &self.world else { return };
        let Some(counts) = &world.counts else { return };
        let bound = world.bus.device_names().iter().filter(|(_, driver)| driver.is_some()).count();
        let (probed, removed) = counts.get();
        let problem = match removed.cmp(&(probed - bound)) {
            Ordering::Less => "a device is gone, and the driver's `remove` has not run",
            Ordering::Equal => return,
            Ordering::Greater => "the driver's `remove` has run more than once for a device",
        };
        self.find(
            problem.into(),
            "leave unplug to the bus: an operation that wants its device gone calls `bus_device.remove(..)`",
        );
    }

    /// The removal has become a surprise removal: every device that goes is told.
    fn all_are_told(&mut self, actors: &[Actor]) {
        let Some(world) = &self.world else { return };
        let told = |actor: &Actor| actor.node().cause() == Some(Cause::SurpriseRemoval);
        if !self.patience.until(|| actors.iter().all(told)) {
            self.find(
                format!("`{}` has gone by surprise meanwhile, and its device is not told", world.device),
                "`Removable::escalate` has to hand the cause on: `Unplug::escalate(&self.device, cause)`",
            );
        }
    }

    /// Pulls the hardware out (0), or puts it back (1).
    pub(super) fn surprise(&mut self, step: usize) {
        let hardware = self.world.as_ref().and_then(|world| world.hardware());
        if let (Some(steps), Some(hardware)) = (&self.plan.surprise, hardware) {
            let does = steps[step].clone();
            if let Err(Late::Hangs(place)) = in_time(self.patience, move || does(&hardware)) {
                self.find(
                    format!("`surprise` hangs: the thread {place}"),
                    "pull the hardware out, and wait for nothing",
                );
            }
        }
    }

    /// Holds the operation in its section while the unplug is under way.
    fn hold(&mut self, twist: Twist, removal: Option<&Removal>, actors: &[Actor]) {
        let Some(removal) = removal else { return };
        let is_flagged = || actors.iter().all(|actor| actor.node().is_unplugged());
        match twist {
            Twist::InFlight(_) => {
                self.patience.until(is_flagged);
            }
            Twist::InFlightLong(_) => {
                self.patience.until(is_flagged);
                // The stop hook follows the flag at once. It may wait for a lock that this operation holds.
                for _ in 0..10 {
                    thread::sleep(Duration::from_millis(2));
                    if !removal.stragglers().contains("hook") {
                        break;
                    }
                }
            }
            Twist::Straggler(op) => {
                self.patience.until(is_flagged);
                let waited = removal.wait_for(Duration::from_millis(20));
                let stragglers = removal.stragglers();
                if !matches!(waited, Ok(None)) {
                    self.find(
                        format!("the device is removed while {op} is in its section"),
                        "`Removable::take_down` has to unplug every device whose operations are in flight",
                    );
                } else if !stragglers.contains(op.name()) {
                    self.find(
                        format!("the removal waits for {op}, and its report does not name it: {stragglers:?}"),
                        "`Removable::stragglers` has to name the sections of every device that goes",
                    );
                }
            }
            _ => {}
        }
    }

    /// Looks at how the acts have ended.
    fn ended(&mut self, actors: Vec<Actor>, twist: Twist, removal: Duration, began: Instant) -> Gone {
        let (mut answers, mut last) = (Vec::new(), None);
        let is_alone = actors.len() == 1;
        for actor in actors {
            self.met.add(actor.trace.met());
            let progress = actor.progress();
            let (end, met, before) = (progress.end, progress.met.clone(), progress.before.clone());
            drop(progress);
            let name = actor.name.clone();
            let (panicked, unheard, late) = {
                let state = actor.trace.state();
                (state.panicked.clone(), state.unheard, state.late)
            };
            actor.join();
            if let Some(op) = panicked.first()
                && !matches!(twist, Twist::Panics(_))
            {
                self.find(
                    format!("`{op}` panics in the act \"{name}\""),
                    "answer an error; the message of the panic says where",
                );
            }
            if let Some((op, waited)) = late
                && waited > self.patience.brief()
            {
                self.find(
                    format!("{op} is declared brief, and unplug waited {waited:.1?} for it"),
                    "end it sooner, or declare `#[fop(sleeps)]` and sleep as unplug can see: `access.wait_event(..)`",
                );
            }
            if let Some(mask) = unheard {
                // It would take as long each time.
                self.hanging.insert(name.clone());
                self.find(
                    format!("poll's mask became {mask:?}, and nobody woke the act \"{name}\", which sleeps in poll"),
                    "register each queue that the mask depends on, before the mask is computed: `table.wait(&self.queue)`",
                );
            }
            let habit = self.habits.get(&name).cloned().unwrap_or_default();
            let is_usual = |answer| habit.answers.contains(answer) || before.contains(answer);
            let unusual = met.iter().find(|answer| !is_usual(answer) && !matches!(answer, Answer::Done));
            if let Some(answer) = unusual.filter(|_| is_alone && !matches!(twist, Twist::Panics(_))) {
                self.find(
                    format!("the act \"{name}\" was in flight when unplug began, and answered {answer}"),
                    "return the error of the wait as it is: `?` makes `ENODEV` of it",
                );
            }
            match end {
                Some((End::Gone(answer), at)) => {
                    let after = at.saturating_duration_since(began);
                    last = last.max(Some(after));
                    answers.push(answer.to_string());
                }
                Some((End::GoesOn(answer), _)) => self.find(
                    format!("the device is gone, and the act \"{name}\" answers {answer}"),
                    "an act returns the first error that it sees; an operation that is `always` or `unguarded` answers `ENODEV` itself",
                ),
                Some((End::Panicked, _)) => self.find(format!("the act \"{name}\" panicked"), "return errors from the act"),
                Some((End::Stopped, _)) | None => {}
            }
        }
        answers.sort();
        answers.dedup();
        Gone { removal, answers: answers.join(", "), last }
    }

    /// What hangs stays as it is: it may end by itself.
    fn leave_behind(&mut self, actors: Vec<Actor>) {
        for actor in actors {
            self.met.add(actor.trace.met());
            actor.stop();
        }
        self.leave();
    }
}

fn begin(way: Way, bus: &Arc<crate::bus::Bus>, driver: &str, device: &str) -> Result<Arc<Removal>> {
    match way {
        Way::Unbind => bus.unbind(driver, device),
        Way::Unplug => bus.remove(device, Cause::Removal),
        Way::Surprise => bus.remove(device, Cause::SurpriseRemoval),
    }
}
