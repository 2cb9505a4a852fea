//! The hardware refuses something while the device goes: each step of the removal that may fail does so once.
use crate::nodes::faults::fail_at;
use crate::testkit::act::Act;
use crate::testkit::report::Row;
use crate::testkit::scenario::{Twist, Way};
use crate::testkit::suite::Suite;

/// No removal has more steps.
const STEPS: usize = 256;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn removal_fails(&mut self) {
        for number in 0..STEPS {
            let found = self.report.findings.len();
            self.now = format!("removal fails at step {}", number + 1);
            let Some(step) = self.removal_fails_at(number) else { break };
            self.report.rows.push(Row {
                scenario: self.now.clone(),
                load: step,
                answers: String::new(),
                worst: None,
                removal: None,
                is_bad: self.report.findings.len() > found,
            });
        }
    }

    /// The step that failed, with all acts in flight; `None` if there are no more steps, or nothing works any more.
    fn removal_fails_at(&mut self, number: usize) -> Option<String> {
        let nodes = self.plugged()?;
        let acts: Vec<&Act> = self.plan.acts.iter().filter(|act| self.leaves_it(act)).collect();
        let actors = self.start(&acts, &nodes, None);
        self.settle(&actors);
        let hardware = self.hardware();
        let (gone, step) = fail_at(number, || self.goes(Way::Unbind, Twist::Plain, actors, None));
        gone?;
        self.is_away(&nodes, &hardware);
        drop((nodes, hardware));
        self.plugged()?;
        step
    }
}
