//! What has to hold once the device is away, and once nobody refers to it any more.
use crate::nodes::node::Node;
use crate::testkit::in_time::{Late, in_time};
use crate::testkit::subdevs::MadeSubdev;
use crate::testkit::suite::Suite;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

/// What to write where resources were cloned.
pub(super) const ESCAPE: &str = "borrow resources within the section, and keep no clone of them in a file or a thread";

impl<H: Send + Sync + 'static> Suite<'_, H> {
    /// The device is away. Files may be open.
    pub(super) fn is_away(&mut self, nodes: &[Arc<Node>], hardware: &Option<Arc<H>>) {
        let Some(world) = &self.world else { return };
        if let Some(node) = world.strays().first() {
            self.find(
                format!("the device is removed, and its node `{}` is registered", node.name()),
                "register nodes by `probe.register_node(..)`, which the bus takes away",
            );
        }
        if let Some(node) = nodes.iter().find(|node| !node.is_unplugged()) {
            self.find(
                format!("the device is removed, and its node `{}` still works", node.name()),
                "name its device among those that go together: `unplug(subdevs(..))`, or in `Unplug::parts`",
            );
        }
        if let Some(node) = nodes.iter().find(|node| node.hook_has_panicked()) {
            self.find(
                format!("a hook of the device of `{}` panics during unplug", node.name()),
                "unplug goes on after that, with the hardware as it is: log the error, and do not `unwrap` in a hook",
            );
        }
        for escape in nodes.iter().flat_map(|node| node.escapes()) {
            self.find(format!("the resources are handed back, and {escape}"), ESCAPE);
        }
        let Some(hardware) = hardware else { return };
        for (number, check) in self.plan.away.iter().enumerate() {
            // Once is enough: what it counts may only grow.
            if self.failed_checks.contains(&number) {
                continue;
            }
            let (check, hardware) = (check.clone(), hardware.clone());
            let failed = in_time(self.patience, move || {
                catch_unwind(AssertUnwindSafe(|| check(&hardware))).map_err(|payload| message(&*payload).to_owned())
            });
            let (problem, help) = match failed {
                Ok(Ok(())) => continue,
                Ok(Err(message)) => (
                    format!("the device is away, and this does not hold: {message}"),
                    "touch the hardware inside sections alone, and give back in `remove` all that probe took",
                ),
                Err(Late::Hangs(place)) => {
                    (format!("`away` hangs: the thread {place}"), "look at the hardware, and wait for nothing")
                }
                Err(Late::Panicked) => continue,
            };
            self.failed_checks.insert(number);
            self.find(problem, help);
        }
    }

    /// The driver's structures. A device whose nodes go along keeps its own.
    pub(super) fn own_states(&self) -> Vec<Weak<dyn Any + Send + Sync>> {
        let nodes = self.world.as_ref().map(|world| world.bus.nodes(&world.device));
        nodes.iter().flatten().map(|node| node.downgrade()).collect()
    }

    /// The last file is closed: the nodes of these numbers are gone, and the driver's structures too.
    pub(super) fn nothing_is_left(&mut self, ids: &[u64], states: &[Weak<dyn Any + Send + Sync>]) {
        let Some(world) = &self.world else { return };
        if self.has_leaked {
            return;
        }
        let devices = world.bus.devices().clone();
        let left = || devices.all().into_iter().find(|node| ids.contains(&node.id()));
        if !self.patience.until(|| left().is_none()) {
            self.has_leaked = true;
            let names = left().map_or_else(String::new, |node| node.name().to_owned());
            self.find(
                format!("the acts have ended, and a file of the node `{names}` is still open"),
                "a driver keeps no file of its own device open, and an act closes what it opens",
            );
        }
        if !self.patience.until(|| states.iter().all(|state| state.strong_count() == 0)) {
            self.has_leaked = true;
            self.find(
                "the last file is closed, and something still refers to the driver's structure".into(),
                "a thread, a timer or a callback has kept an `Arc`: end it in the stop hook, or give it a `Weak`",
            );
        }
        self.subdevs_are_released();
    }

    /// Nobody refers to its subdevs.
    fn subdevs_are_released(&mut self) {
        let subdevs = std::mem::take(&mut self.subdevs);
        if !self.patience.until(|| !subdevs.iter().any(MadeSubdev::is_kept))
            && let Some(subdev) = subdevs.iter().find(|subdev| subdev.is_kept())
        {
            self.has_leaked = true;
            self.find(
                format!("the last file is closed, and the release op of the subdev `{}` has not run", subdev.name()),
                "somebody has kept a handle to it: keep those in the device's own structure",
            );
        }
    }
}

/// What a panic said.
pub(super) fn message(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("a panic")
}
