//! What an author writes: the driver, what clients do, what the hardware does.
use crate::bus::{Bus, Driver};
#[cfg(all(feature = "fuse", target_os = "linux"))]
use crate::nodes::node::Node;
use crate::testkit::act::Act;
use crate::testkit::act::Answer;
use crate::testkit::client::ClientNode;
#[cfg(all(feature = "fuse", target_os = "linux"))]
use crate::testkit::patience::Patience;
use crate::testkit::plan::Plan;
use crate::testkit::process::{self, Role};
use crate::testkit::report::Report;
use crate::testkit::suite::Suite;
#[cfg(all(feature = "fuse", target_os = "linux"))]
use crate::testkit::trace::Trace;
use crate::testkit::world::World;
#[cfg(all(feature = "fuse", target_os = "linux"))]
use fops_runtime::Errno;
use fops_runtime::{Device, FileOperations, Result, Unplug};
use std::fmt;
#[cfg(all(feature = "fuse", target_os = "linux"))]
use std::path::Path;
use std::sync::Arc;

/// A driver, its device, and what goes on while that is unplugged. See the [module](crate::testkit).
///
/// `H` is what the author's closures reach the hardware by: the driver, the device that has no driver, or what the author
/// made.
#[must_use = "nothing is tested before `run`"]
pub struct Hotplug<H>(Plan<H>);

impl<H: Send + Sync + 'static> Hotplug<H> {
    fn new(make: impl Fn() -> World<H> + 'static) -> Self {
        Self(Plan {
            make: Box::new(make),
            acts: Vec::new(),
            disturb: None,
            surprise: None,
            away: Vec::new(),
            excuses: Vec::new(),
            beside: None,
            on_nodes: false,
            orders: 100,
        })
    }

    /// Tests a driver with one of its devices. `driver` makes the driver, together with the hardware that it drives.
    ///
    /// It is called anew after each scenario that hangs: what hangs keeps the old one.
    pub fn of(driver: impl Fn() -> H + 'static, device: &str) -> Self
    where
        H: Driver,
    {
        let device = device.to_owned();
        Self::new(move || World::of(driver(), &device))
    }

    /// Tests a device that needs no driver: `device` makes one for each time it is plugged in. Its node is `node` and a
    /// number.
    pub fn of_device(node: &str, device: impl Fn() -> H + Send + Sync + 'static) -> Self
    where
        H: FileOperations + Device + Unplug<Resources: Send>,
    {
        let (node, device): (String, Arc<dyn Fn() -> H + Send + Sync>) = (node.into(), Arc::new(device));
        Self::new(move || World::of_device(&node, device.clone())).beside("device.1")
    }

    /// Tests a device on a bus of the author's own, where its driver needs others. `machine` makes all of it, and `bus`
    /// says where the bus is. The device is on the bus, and its driver is registered.
    pub fn on(
        machine: impl Fn() -> H + 'static,
        bus: impl Fn(&H) -> Arc<Bus> + 'static,
        driver: &str,
        device: &str,
    ) -> Self {
        let (driver, device) = (driver.to_owned(), device.to_owned());
        Self::new(move || World::on(machine(), &bus, &driver, &device))
    }

    /// What a client does with the first node of the device, again and again until that says `ENODEV`, or poll says `HUP`.
    ///
    /// Call it for each way to sleep in the driver, and for each operation.
    pub fn act<T: 'static>(
        mut self,
        name: &str,
        act: impl Fn(&ClientNode) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.0.acts.push(Act::new(name, None, act));
        self
    }

    /// As [`act`](Self::act), with the node whose name begins with `node`, or with the first node of the device `node` on the
    /// bus: another one, whose nodes [go along](crate::Nodes::take_along).
    pub fn act_on<T: 'static>(
        mut self,
        node: &str,
        name: &str,
        act: impl Fn(&ClientNode) -> Result<T> + Send + Sync + 'static,
    ) -> Self {
        self.0.acts.push(Act::new(name, Some(node), act));
        self
    }

    /// What the hardware does meanwhile, again and again, on a thread of its own: raises an interrupt, completes a
    /// transfer.
    pub fn disturb(mut self, disturb: impl Fn(&H) + Send + Sync + 'static) -> Self {
        self.0.disturb = Some(Arc::new(disturb));
        self
    }

    /// How the hardware is pulled out, and put back. Without it, the driver is told of a surprise removal while the
    /// hardware is there, and must not be blamed if that goes on to write to memory.
    pub fn surprise(
        mut self,
        pull_out: impl Fn(&H) + Send + Sync + 'static,
        put_back: impl Fn(&H) + Send + Sync + 'static,
    ) -> Self {
        self.0.surprise = Some([Arc::new(pull_out), Arc::new(put_back)]);
        self
    }

    /// What has to hold while the device is away: nobody has touched the hardware, its interrupt is free. It panics if it
    /// does not hold, as `assert!` does. Files may be open.
    pub fn away(mut self, check: impl Fn(&H) + Send + Sync + 'static) -> Self {
        self.0.away.push(Arc::new(check));
        self
    }

    /// Another device of the same driver: it has to go on while the first one goes.
    pub fn beside(mut self, device: &str) -> Self {
        self.0.beside = Some(device.into());
        self
    }

    /// Plays this many random orders of the acts and the unplug, in place of 100.
    ///
    /// Two threads carry out each act. One goes at a time, from one point of its section to the next: before and after it
    /// takes its slot, after it is woken, before it gives the slot back. `FOPS_SEED` in the environment decides the order,
    /// and a report of a race says it.
    pub fn orders(mut self, orders: usize) -> Self {
        self.0.orders = orders;
        self
    }

    /// Plays the eight scenarios on device nodes too, which are served through `/dev/fuse`, with a process for each act. Turn
    /// the feature `fuse` on.
    ///
    /// Each process is this test, run once more: `run` carries out its act there, on the node's file, and then ends the
    /// process. So all that the test does before `run` is done in each process. Only what an act opens by
    /// [`path`](ClientNode::path) can be mapped there.
    ///
    /// Where the nodes cannot be served, the report says why, and the test does not fail. The nodes are gone when `run`
    /// returns, and also if the test is killed.
    pub fn on_nodes(mut self) -> Self {
        self.0.on_nodes = true;
        self
    }

    /// The operation `op` is not tried, because `why`.
    pub fn not_tried(mut self, op: &str, why: &str) -> Self {
        self.0.excuses.push((op.into(), why.into()));
        self
    }

    /// Runs all scenarios. It always ends: what hangs is left behind, and reported.
    pub fn run(self) -> Report {
        let run = process::begin_run();
        match Role::given() {
            Some(role) if self.0.on_nodes && role.run == run => self.carry_out(&role),
            // Another run of this test started this process.
            Some(_) => Report::default(),
            None => Suite::new(&self.0, run).run(),
        }
    }

    /// Carries out one act, in a process of its own.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    fn carry_out(&self, role: &Role) -> ! {
        let node = Node::remote(Path::new(&role.path));
        let client = ClientNode {
            trace: Trace::new(node.clone(), None),
            node,
            path: Some(role.path.clone().into()),
            patience: Patience::measure(),
        };
        if let Some(act) = self.0.acts.get(role.act) {
            process::serve(|| match act.run(&client) {
                // The file has gone with the node.
                Answer::Failed(Errno::ENOENT) if !Path::new(&role.path).exists() => Answer::Failed(Errno::ENODEV),
                answer => answer,
            });
        }
        std::process::exit(0)
    }

    /// Nobody starts such a process where nodes cannot be served.
    #[cfg(not(all(feature = "fuse", target_os = "linux")))]
    fn carry_out(&self, role: &Role) -> Report {
        let _ = (&role.act, &role.path, process::serve::<fn() -> Answer>);
        Report::default()
    }
}

impl<H> fmt::Debug for Hotplug<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let acts: Vec<_> = self.0.acts.iter().map(|act| &act.name).collect();
        f.debug_struct("Hotplug").field("acts", &acts).finish_non_exhaustive()
    }
}
