//! What is peculiar to this driver: acts that have the device removed, and a device that lets one file be open at a time.
use crate::testkit::act::Act;
use crate::testkit::in_time::in_time;
use crate::testkit::scenario::{Close, Scenario, Twist, Way};
use crate::testkit::suite::Suite;
use crate::testkit::world::Place;
use fops_runtime::{Errno, OpenFlags};

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// Sees whether a second file can be opened while the first one is open.
    pub(super) fn learn_files(&mut self) {
        self.now = "nobody unplugs".into();
        let Some(nodes) = self.plugged() else { return };
        let held: Vec<_> = nodes.iter().filter_map(|node| self.hold_open(node)).collect();
        let open_again = move || {
            let flags = [OpenFlags::RDWR, OpenFlags::RDONLY, OpenFlags::WRONLY];
            let mut again = nodes.iter().flat_map(|node| flags.map(|flags| node.open(flags).map(drop)));
            let is_busy = again.any(|answer| answer == Err(Errno::EBUSY));
            drop(held);
            is_busy
        };
        // If it hangs, the acts meet that too.
        self.one_file = in_time(self.patience, open_again).unwrap_or(false);
    }

    /// Whether the device is bound, and nobody has begun to remove it.
    pub(super) fn is_bound(&self) -> bool {
        self.place() == Some(Place::Bound)
    }

    /// Whether it is bound no more, and its removal is over.
    pub(super) fn is_removed(&self) -> bool {
        matches!(self.place(), None | Some(Place::Unbound))
    }

    /// Where the device is. `None` if it is not on the bus.
    pub(super) fn place(&self) -> Option<Place> {
        self.world.as_ref()?.place()
    }

    /// Each act that has the device removed does so, alone and with the other acts in flight.
    pub(super) fn acts_remove(&mut self) {
        let goes_by_itself = Scenario {
            name: "an act removes its own device".into(),
            way: Way::Unbind,
            close: Close::Late,
            twist: Twist::Plain,
        };
        let removes = |act: &&Act| self.removing.contains(&act.name) && !self.hanging.contains(&act.name);
        let removing: Vec<&Act> = self.plan.acts.iter().filter(removes).collect();
        for act in removing {
            let has_part = |other: &&Act| self.leaves_it(other) || other.name == act.name;
            let all: Vec<&Act> = self.plan.acts.iter().filter(has_part).collect();
            self.round(&goes_by_itself, &[act]);
            if all.len() > 1 {
                self.round(&goes_by_itself, &all);
            }
        }
    }
}
