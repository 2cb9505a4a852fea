//! Two devices of one driver: one goes, the other one goes on.
use crate::testkit::act::Act;
use crate::testkit::actor::Actor;
use crate::testkit::report::Row;
use crate::testkit::scenario::{Twist, Way};
use crate::testkit::suite::Suite;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn beside(&mut self) {
        let Some(second) = self.plan.beside.clone() else { return };
        self.now = "one of two devices goes".into();
        let found = self.report.findings.len();
        let gone = self.one_of_two_goes(&second);
        self.report.rows.push(Row {
            scenario: self.now.clone(),
            load: "each act on both".into(),
            answers: if gone.is_some() { "the other one goes on".into() } else { "-".into() },
            worst: None,
            removal: None,
            is_bad: gone.is_none() || self.report.findings.len() > found,
        });
        self.leave();
    }

    fn one_of_two_goes(&mut self, second: &str) -> Option<()> {
        self.plugged()?;
        let world = self.world.as_ref()?;
        let (bus, driver) = (world.bus.clone(), world.driver.clone());
        // It may be on the bus already.
        let _ = bus.add_device(second);
        let (to, name) = (bus.clone(), second.to_owned());
        if bus.nodes(second).is_empty() && !self.comes(move || to.bind(&driver, &name), "probe of a second device") {
            return None;
        }
        let acts: Vec<_> = self.plan.acts.iter().filter(|act| self.leaves_it(act)).collect();
        for act in acts {
            let nodes = self.plugged()?;
            let first_actors = self.start(&[act], &nodes, None);
            let others = self.start(&[act], &bus.nodes(second), None);
            self.settle(&first_actors);
            self.settle(&others);
            self.goes(Way::Unbind, Twist::Plain, first_actors, None)?;
            self.goes_on(act, second, &others);
            others.iter().for_each(Actor::stop);
            if !self.patience.until(|| others.iter().all(|actor| actor.end().is_some())) {
                // It cannot be interrupted, which is not what is asked here.
                return Some(());
            }
            others.into_iter().for_each(Actor::join);
        }
        Some(())
    }

    /// The act goes on, on the device that stays.
    fn goes_on(&mut self, act: &Act, device: &str, actors: &[Actor]) {
        let habit = self.habits.get(&act.name).cloned().unwrap_or_default();
        let disturber = self.disturb_device(device);
        for actor in actors {
            let before = actor.progress().returned;
            if habit.returns && !self.patience.until(|| actor.progress().returned > before + 1) {
                self.find(
                    format!(
                        "another device goes, and the act \"{}\" sleeps on this one, and returned before",
                        act.name
                    ),
                    "keep state in the driver's structure of each device, not in a `static`",
                );
            }
            let answers = actor.progress().before.clone();
            let wrong = answers.into_iter().find(|answer| !habit.answers.contains(answer) && answer.is_failure());
            if let Some(answer) = wrong {
                self.find(
                    format!("another device goes, and the act \"{}\" answers {answer} on this one", act.name),
                    "keep state in the driver's structure of each device, not in a `static`",
                );
            }
        }
        drop(disturber);
    }
}
