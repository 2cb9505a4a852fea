//! Probe fails at each of its steps, leaves nothing behind, and succeeds afterwards.
use crate::nodes::faults::fail_at;
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::report::Row;
use crate::testkit::subdevs;
use crate::testkit::suite::Suite;
use std::collections::BTreeSet;

/// No probe has more steps.
const STEPS: usize = 256;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    pub(super) fn probe_fails(&mut self) {
        for number in 0..STEPS {
            let found = self.report.findings.len();
            self.now = format!("probe fails at step {}", number + 1);
            let Some(step) = self.probe_fails_at(number) else { break };
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

    /// The step that failed; `None` if there are no more steps, or nothing works any more.
    fn probe_fails_at(&mut self, number: usize) -> Option<String> {
        // Once through, so that the device is on its bus and unbound.
        self.plugged()?;
        self.unbind()?;
        let world = self.world.as_ref()?;
        let (bus, driver, device) = (world.bus.clone(), world.driver.clone(), world.device.clone());
        let names = || bus.devices().all().iter().map(|node| node.name().to_owned()).collect::<BTreeSet<_>>();
        let before = names();
        let bind = {
            let bus = bus.clone();
            move || fail_at(number, || bus.bind(&driver, &device))
        };
        let (subdevs, bind) = subdevs::noted(bind);
        let bound = in_time(self.patience, bind);
        self.note_subdevs(&mut subdevs.lock());
        let (bound, step) = match bound {
            Ok((bound, step)) => (bound, step?),
            Err(Late::Hangs(place)) => {
                self.find(
                    format!("probe hangs when a step fails: the thread {place}"),
                    "drop what probe took, and wait for nothing",
                );
                self.leave();
                return None;
            }
            Err(Late::Panicked) => return None,
        };
        if bound.is_ok() {
            // It can do without.
            self.unbind()?;
            return Some(step);
        }
        let left: Vec<_> = names().difference(&before).cloned().collect();
        if !left.is_empty() {
            self.find(
                format!("probe fails at {step}, and leaves {left:?} registered"),
                "register nodes by `probe.register_node(..)`: they appear if probe succeeds, and not otherwise",
            );
            self.leave();
            return Some(step);
        }
        let hardware = self.hardware();
        self.is_away(&[], &hardware);
        drop(hardware);
        if self.plugged().is_none() {
            self.find(
                format!("probe fails at {step}, and then it fails for ever"),
                "give back what probe took by then: keep it in values that are dropped on the way out",
            );
        }
        Some(step)
    }

    /// Unbinds the device, with nothing in flight.
    fn unbind(&mut self) -> Option<()> {
        use crate::testkit::scenario::{Twist, Way};
        self.goes(Way::Unbind, Twist::Plain, Vec::new(), None).map(drop)
    }
}
