//! Acts and unplug in random orders, so that a rare race becomes a frequent one.
use crate::testkit::actor::Actor;
use crate::testkit::baton::Baton;
use crate::testkit::disturber::Disturb;
use crate::testkit::in_time::in_time;
use crate::testkit::patience::Patience;
use crate::testkit::report::Row;
use crate::testkit::scenario::{Twist, Way};
use crate::testkit::seed::Seed;
use crate::testkit::suite::Suite;
use crate::testkit::trace::Guide;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// At most so many steps come before the unplug.
const STEPS: usize = 24;

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// Plays the orders of this run's seed.
    pub(super) fn orders(&mut self) {
        let (began, mut played) = (Instant::now(), 0);
        // What is wrong in every order is not a race, and one race is enough.
        while played < self.plan.orders && self.report.findings.is_empty() {
            let seed = self.seed.wrapping_add(played as u64);
            self.now = format!("an order of seed {seed}");
            let Some(order) = self.order(seed) else { break };
            played += 1;
            for finding in &mut self.report.findings {
                finding.scenario = format!("the order of seed {seed}: {order}");
                self.failed_seed = Some(seed);
            }
        }
        if played > 0 {
            self.report.rows.push(Row {
                scenario: format!("{played} orders of seed {}", self.seed),
                load: "each act, twice".into(),
                answers: format!("in {:.1?}", began.elapsed()),
                worst: None,
                removal: None,
                is_bad: !self.report.findings.is_empty(),
            });
        }
    }

    /// Plays one order, and says what it was. `None` where nothing can be played.
    pub(super) fn order(&mut self, seed: u64) -> Option<String> {
        let mut seed = Seed::new(seed);
        let acts: Vec<_> = self.plan.acts.iter().filter(|act| self.leaves_it(act)).collect();
        let nodes = self.plugged()?;
        if acts.is_empty() || self.hung > 0 {
            return None;
        }
        let hardware = self.hardware();
        let disturb = self.plan.disturb.clone().zip((*hardware).clone());
        let baton = Baton::new(acts.len() * 2);
        let mut actors = Vec::new();
        for (seat, act) in acts.iter().chain(&acts).enumerate() {
            let node = self.node_for(act, &nodes)?;
            let turns: Arc<dyn Guide> = Arc::new(baton.turns(seat));
            actors.push(Actor::start(act, &node, Some(turns), self.patience));
        }
        for _ in 0..seed.below(STEPS) {
            step(&baton, &mut seed, disturb.as_ref(), self.patience);
        }
        drop(baton.quiet());
        baton.note("unplug");
        let (conductor, patience, flagged) = (baton.clone(), self.patience, nodes.clone());
        let conducts = thread::Builder::new().name("conductor".into()).spawn(move || {
            // One is enough: a removal may take one device down after the other, and wait for each.
            patience.until(|| flagged.iter().any(|node| node.is_unplugged()));
            drop(flagged);
            // Unplug wakes every sleeper; the order goes on from there.
            conductor.all_wake(patience.limit());
            let began = Instant::now();
            while !conductor.have_all_ended() && began.elapsed() < patience.limit() {
                if !conductor.step(&mut seed) {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            conductor.free();
        });
        self.goes(Way::Unbind, Twist::Plain, actors, None);
        baton.free();
        let _ = conducts.map(thread::JoinHandle::join);
        self.is_away(&nodes, &hardware);
        Some(baton.order())
    }
}

/// One thread goes, or the hardware does something.
fn step<H: Send + Sync + 'static>(
    baton: &Baton,
    seed: &mut Seed,
    disturb: Option<&(Disturb<H>, Arc<H>)>,
    patience: Patience,
) {
    match disturb {
        Some((disturb, hardware)) if seed.below(4) == 0 => {
            baton.note("disturb");
            let (disturb, hardware) = (disturb.clone(), hardware.clone());
            let _ = in_time(patience, move || disturb(&hardware));
            baton.all_wake(Duration::from_millis(1));
        }
        _ => {
            baton.step(seed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::act::Act;
    use crate::testkit::plan::Plan;
    use crate::testkit::world::World;
    use fops_runtime::{
        Access, DeviceLifetime, File, FileOperations, Result, UserSliceWriter, WaitQueue, guarded_fops,
    };

    struct Sensor {
        lifetime: DeviceLifetime<()>,
        never: WaitQueue,
    }

    #[guarded_fops(lifetime = lifetime, unplug(), crate = fops_runtime)]
    impl FileOperations for Sensor {
        type Open = ();

        fn open(&self, _: &File) -> Result {
            Ok(())
        }

        fn read(&self, #[access] hw: &Access<'_, ()>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
            Ok(hw.wait_event(&self.never, || None)?)
        }
    }

    #[test]
    fn a_seed_gives_the_same_order_again() {
        let sensor = || Sensor { lifetime: DeviceLifetime::new(()), never: WaitQueue::new() };
        let plan = Plan {
            make: Box::new(move || World::of_device("sensor", Arc::new(sensor))),
            acts: vec![Act::new("a read sleeps", None, |node| node.open()?.read(&mut [0]))],
            disturb: None,
            surprise: None,
            away: Vec::new(),
            excuses: Vec::new(),
            beside: None,
            on_nodes: false,
            orders: 0,
        };
        let mut suite = Suite::new(&plan, 0);
        let mut orders = Vec::new();
        for seed in 0..20 {
            let order = suite.order(seed).unwrap();
            assert!(order.contains("unplug"), "{order}");
            for _ in 0..5 {
                assert_eq!(suite.order(seed).unwrap(), order);
            }
            orders.push(order);
        }
        orders.sort();
        orders.dedup();
        assert!(orders.len() > 10, "{orders:?}");
    }
}
