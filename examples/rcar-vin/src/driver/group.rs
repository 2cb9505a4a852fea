//! VINs and the CSI-2 receiver that feeds them: several drivers' devices, whose nodes come and go together.
//!
//! The nodes of the VINs appear when the receiver is bound. Its unbind takes every one of them down: all refuse new
//! operations, are woken and stopped before any is waited for, so that none can hold up the unplug by waiting for another.
//! Then each is drained by itself. The VINs themselves stay bound, and get new nodes when a receiver is bound again.
//! After `struct rvin_group` and its notifier in `rcar-core.c`.
//!
//! A drain may take for ever, so no lock is held across one: while an operation of one VIN is stuck, the others come and go.
use crate::driver::core::{RcarVin, VinPort};
use crate::driver::csi2::{CHANNELS, Csi2, Csi2Hw};
use crate::driver::media::MediaDevice;
use fops_host::{BusDevice, Nodes, Probe};
use fops_runtime::{Cause, Errno, Present, Result, Subdev, Unplug as _, UnplugError, catch_panic};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::Arc;

/// VINs that one receiver feeds: `struct rvin_group`.
#[derive(Default)]
pub struct RvinGroup {
    /// The members. The lock is held while nodes appear or are put away, and never while one drains.
    members: Mutex<Members>,
    /// Woken when a node has been put away, or the receiver has changed.
    changed: Condvar,
    /// What has nodes. For those who must not wait: held for a look and no longer. Taken after `members`.
    plugged: Mutex<Plugged>,
    routes: Arc<Routes>,
}

#[derive(Default)]
struct Members {
    vins: BTreeMap<usize, Member>,
    receiver: Receiver,
}

/// A VIN that is bound to its driver.
struct Member {
    device: BusDevice,
    nodes: Arc<Nodes>,
    /// While it has no node.
    port: Option<VinPort>,
    /// Its own removal drains its node.
    leaves: bool,
}

/// What a VIN that comes or goes has to know of the receiver.
#[derive(Default)]
enum Receiver {
    #[default]
    Absent,
    /// With its nodes.
    Bound(Subdev<Csi2>, Arc<Nodes>),
    /// Its unplug is closing all nodes. That waits for the drivers' hooks, and for no operation.
    Closing,
    /// All nodes are closed, and drain.
    Draining,
}

#[derive(Default)]
struct Plugged {
    vins: BTreeMap<usize, Arc<RcarVin>>,
    receiver: Option<(Subdev<Csi2>, Arc<MediaDevice>)>,
    /// How often the graph has changed.
    changes: u64,
}

/// What the media device shows of the group.
pub(crate) struct Graph {
    pub(crate) version: u64,
    /// Of the receiver's node: major and minor.
    pub(crate) receiver: Option<(u32, u32)>,
    /// The VINs that have nodes: number, and major and minor of the node.
    pub(crate) vins: Vec<(usize, Option<(u32, u32)>)>,
}

/// Which virtual channel each VIN captures, by its number: the links of the media graph that are enabled.
#[derive(Default)]
pub struct Routes(Mutex<BTreeMap<usize, Option<u32>>>);

impl RvinGroup {
    /// Nobody is in it.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// A VIN is bound: it has a node from now on, or as soon as there is a receiver.
    pub(crate) fn join(&self, channel: usize, probe: &Probe, port: VinPort) -> Result {
        let device = probe.bus_device().clone();
        let mut member = Member { device, nodes: probe.nodes().clone(), port: Some(port), leaves: false };
        let mut members = self.members.lock();
        self.changed.wait_while(&mut members, |members| matches!(members.receiver, Receiver::Closing));
        if let Receiver::Bound(receiver, nodes) = &members.receiver {
            self.plug(channel, &mut member, receiver, nodes)?;
        }
        members.vins.insert(channel, member);
        Ok(())
    }

    /// A VIN goes. Its node goes down, the others stay.
    ///
    /// # Errors
    /// As [`Unplug::unplug`](fops_runtime::Unplug::unplug); `AlreadyUnplugged` where there is no such VIN.
    pub(crate) fn leave(&self, channel: usize, cause: Cause) -> Result<VinPort, UnplugError> {
        let mut members = self.members.lock();
        // The receiver's unplug takes the roles of all nodes together, or waits. A role taken now would hold it up.
        self.changed.wait_while(&mut members, |members| matches!(members.receiver, Receiver::Closing));
        let vin = self.vin(channel);
        members.vins.get_mut(&channel).ok_or(UnplugError::AlreadyUnplugged)?.leaves = true;
        drop(members);

        let drained = vin.map(|vin| vin.unplug(cause));

        let mut members = self.members.lock();
        let port = match drained {
            Some(Ok(hw)) => {
                self.plugged.lock().change(|vins| vins.remove(&channel));
                Some(hw.port)
            }
            // The receiver's unplug has the port, and puts it back.
            Some(Err(UnplugError::AlreadyUnplugged)) => {
                self.changed.wait_while(&mut members, |_| self.vin(channel).is_some());
                None
            }
            Some(Err(refused)) => {
                members.vins.get_mut(&channel).ok_or(UnplugError::AlreadyUnplugged)?.leaves = false;
                return Err(refused);
            }
            None => None,
        };
        let member = members.vins.remove(&channel);
        drop(members);
        self.changed.notify_all();
        port.or(member.and_then(|member| member.port)).ok_or(UnplugError::AlreadyUnplugged)
    }

    /// The receiver is bound: the nodes appear (`rvin_group_notify_complete`).
    ///
    /// # Errors
    /// `EBUSY` where there is one already; no node has appeared then. If there is no memory for the node of a
    /// VIN, that is logged and is no error.
    pub(crate) fn bound(self: &Arc<Self>, receiver: &Subdev<Csi2>, probe: &Probe) -> Result {
        let members = &mut *self.members.lock();
        if !matches!(members.receiver, Receiver::Absent) {
            return Err(Errno::EBUSY);
        }
        let media = MediaDevice::new(self, receiver, &self.routes);
        probe.nodes().register("v4l-subdev", &Arc::new(receiver.clone()), None);
        probe.nodes().register("media", &media, None);
        self.plugged.lock().receiver = Some((receiver.clone(), media));
        for (&channel, member) in &mut members.vins {
            // One that is on its way out needs no node.
            if member.leaves {
                continue;
            }
            if let Err(errno) = self.plug(channel, member, receiver, probe.nodes()) {
                // The others work without it.
                tracing::error!("{}: no node: {errno}", member.device.name());
            }
        }
        members.receiver = Receiver::Bound(receiver.clone(), probe.nodes().clone());
        Ok(())
    }

    /// The receiver goes: it, the media node and all VINs' nodes are closed as one, and then drained one by one
    /// (`rvin_group_notify_unbind`).
    ///
    /// The VINs' own hardware is there, even if the receiver's is not.
    ///
    /// # Errors
    /// As [`Unplug::unplug`](fops_runtime::Unplug::unplug).
    pub(crate) fn unbound(&self, cause: Cause) -> Result<Csi2Hw, UnplugError> {
        let (before, receiver, media, vins) = {
            let members = &mut *self.members.lock();
            let plugged = self.plugged.lock();
            let Some((receiver, media)) = plugged.receiver.clone() else { return Err(UnplugError::AlreadyUnplugged) };
            let leaves = |channel: &usize| members.vins.get(channel).is_some_and(|member| member.leaves);
            let mut vins: Vec<_> =
                plugged.vins.iter().map(|(channel, vin)| (*channel, vin.clone(), leaves(channel))).collect();
            // The VINs that leave come last: they may drain for long already.
            vins.sort_by_key(|(.., leaves)| *leaves);
            (std::mem::replace(&mut members.receiver, Receiver::Closing), receiver, media, vins)
        };
        // A VIN that leaves is closed by its own removal. That may have the role already, for as long as it drains.
        let close: Vec<_> = vins.iter().filter(|(.., leaves)| !leaves).map(|(_, vin, _)| &**vin).collect();
        let closed = (Present((close, &*media)), &receiver).begin_unplug(cause).map(drop);
        // Refused: all is as it was.
        let is_refused = matches!(closed, Err(UnplugError::Deadlock(_)));
        self.members.lock().receiver = if is_refused { before } else { Receiver::Draining };
        self.changed.notify_all();
        closed?;

        for (channel, vin, _) in vins {
            match Present(&*vin).unplug(cause) {
                Ok(hw) => self.unplugged(channel, hw.port),
                // Its own removal has the port.
                Err(UnplugError::AlreadyUnplugged) => {
                    let is_here = |_: &mut Members| self.vin(channel).is_some_and(|here| Arc::ptr_eq(&here, &vin));
                    self.changed.wait_while(&mut self.members.lock(), is_here);
                }
                Err(refused) => return Err(refused),
            }
        }
        let ((), csi2) = (Present(&*media), &receiver).unplug(cause)?;
        let mut members = self.members.lock();
        self.plugged.lock().receiver = None;
        members.receiver = Receiver::Absent;
        Ok(csi2)
    }

    /// The node of a VIN that stays bound is unplugged, and goes.
    fn unplugged(&self, channel: usize, port: VinPort) {
        let mut members = self.members.lock();
        self.plugged.lock().change(|vins| vins.remove(&channel));
        if let Some(member) = members.vins.get_mut(&channel) {
            member.port = Some(port);
            member.nodes.unregister_unplugged();
        }
        self.changed.notify_all();
    }

    #[cfg(test)]
    pub(crate) fn receiver(&self) -> Option<Subdev<Csi2>> {
        self.plugged.lock().receiver.as_ref().map(|(receiver, _)| receiver.clone())
    }

    /// The node of a VIN, for its interrupt handler, and for links.
    pub(crate) fn vin(&self, channel: usize) -> Option<Arc<RcarVin>> {
        self.plugged.lock().vins.get(&channel).cloned()
    }

    /// The nodes of all VINs.
    pub(crate) fn vins(&self) -> Vec<Arc<RcarVin>> {
        self.plugged.lock().vins.values().cloned().collect()
    }

    /// The graph, as it is now.
    pub(crate) fn graph(&self) -> Graph {
        let members = self.members.lock();
        let plugged = self.plugged.lock();
        let number = |nodes: &Nodes, prefix: &str| {
            nodes.list().iter().find(|node| node.name().starts_with(prefix)).and_then(|node| node.device_number())
        };
        let receiver = match &members.receiver {
            Receiver::Bound(_, nodes) => number(nodes, "v4l-subdev"),
            Receiver::Absent | Receiver::Closing | Receiver::Draining => None,
        };
        let node = |channel| members.vins.get(channel).and_then(|member| number(&member.nodes, "video"));
        let vins = plugged.vins.keys().map(|channel| (*channel, node(channel))).collect();
        Graph { version: plugged.changes, receiver, vins }
    }

    /// A VIN that is on its way out has gone in a worse way.
    pub(crate) fn escalate(&self, channel: usize, cause: Cause) {
        if let Some(vin) = self.vin(channel) {
            vin.lifetime.escalate(cause);
        }
    }

    /// What an unplug of them all waits for.
    pub(crate) fn stragglers(&self) -> String {
        let (receiver, vins) = {
            let plugged = self.plugged.lock();
            (Vec::from_iter(plugged.receiver.clone()), Vec::from_iter(plugged.vins.values().cloned()))
        };
        (receiver, vins).report().to_string()
    }

    fn plug(&self, channel: usize, member: &mut Member, receiver: &Subdev<Csi2>, nodes: &Arc<Nodes>) -> Result {
        let vin = RcarVin::new(&member.device, channel, &self.routes, &mut member.port, receiver)?;
        // Before anybody can open it: it may be on its way out again.
        self.plugged.lock().change(|vins| vins.insert(channel, vin.clone()));
        if catch_panic(|| vin.register(&member.nodes)).is_none() {
            // The VIN stays usable: it has its port back.
            self.plugged.lock().change(|vins| vins.remove(&channel));
            member.port = Present(&*vin).unplug(Cause::Removal).ok().map(|hw| hw.port);
            return Err(Errno::EIO);
        }
        nodes.take_along(&member.nodes);
        Ok(())
    }
}

impl Plugged {
    /// Changes which VINs have nodes. The graph has another version then.
    fn change<T>(&mut self, change: impl FnOnce(&mut BTreeMap<usize, Arc<RcarVin>>) -> T) -> T {
        self.changes += 1;
        change(&mut self.vins)
    }
}

impl Routes {
    /// The virtual channel that VIN `vin` captures: they take turns, until somebody has set a link.
    pub(crate) fn get(&self, vin: usize) -> Option<u32> {
        self.0.lock().get(&vin).copied().unwrap_or(Some(vin as u32 % CHANNELS))
    }

    pub(crate) fn set(&self, vin: usize, channel: Option<u32>) {
        self.0.lock().insert(vin, channel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::machine::Machine;
    use crate::deadline::{DEADLINE, eventually};
    use crate::driver::core::DRIVER;
    use crate::driver::csi2::{CSI2_DEVICE, CSI2_DRIVER};
    use fops_host::Removal;
    use fops_runtime::Device as _;
    use fops_runtime::op::op;
    use std::sync::mpsc::{Sender, channel};
    use std::thread;
    use std::time::Duration;

    const VINS: [&str; 3] = ["e6ef0000.video", "e6ef1000.video", "e6ef2000.video"];

    fn three_vins() -> (Arc<RvinGroup>, Machine) {
        let group = RvinGroup::new();
        let machine = Machine::with_group(&VINS, group.clone()).unwrap();
        (group, machine)
    }

    #[test]
    fn the_others_come_and_go_while_one_vin_drains() {
        let (group, machine) = three_vins();
        let stuck = group.vin(0).unwrap();
        let end = stick(&stuck);
        let first = machine.bus.remove(VINS[0], Cause::Unbind).unwrap();
        eventually("its unplug begins", || stuck.lifetime.is_unplugged());
        for _ in 0..3 {
            assert!(done(&machine.bus.unbind(DRIVER, VINS[1]).unwrap()), "its unbind waits for another VIN");
            machine.bus.bind(DRIVER, VINS[1]).unwrap();
            assert!(machine.devices.get("video1").is_some_and(|node| !node.is_unplugged()), "it has no node");
        }
        assert!(group.stragglers().contains("stuck"), "{}", group.stragglers());
        assert_eq!(first.wait_for(Duration::ZERO), Ok(None));
        drop(end);
        first.wait().unwrap();
        assert!(group.vin(0).is_none() && group.vin(1).is_some());
    }

    #[test]
    fn the_receiver_takes_down_the_others_while_one_vin_drains() {
        let (group, machine) = three_vins();
        let (stuck, other) = (group.vin(0).unwrap(), group.vin(1).unwrap());
        let (receiver, media) = group.plugged.lock().receiver.clone().unwrap();
        let end = stick(&stuck);
        let first = machine.bus.remove(VINS[0], Cause::Unbind).unwrap();
        eventually("its unplug begins", || stuck.lifetime.is_unplugged());
        let all = machine.bus.remove(CSI2_DEVICE, Cause::SurpriseRemoval).unwrap();
        eventually("the others go", || machine.devices.get("video1").is_none());
        assert!(other.lifetime.is_unplugged() && receiver.lifetime().is_unplugged() && media.lifetime().is_unplugged());
        assert!(all.stragglers().contains("stuck"), "{}", all.stragglers());
        // The VIN has no node now, and is bound all the same.
        assert!(done(&machine.bus.unbind(DRIVER, VINS[1]).unwrap()), "its unbind waits for another VIN");
        machine.bus.bind(DRIVER, VINS[1]).unwrap();
        assert!(group.vin(1).is_none(), "there is no receiver");
        assert_eq!(all.wait_for(Duration::ZERO), Ok(None));
        drop(end);
        for removal in [first, all] {
            removal.wait().unwrap();
        }
        assert_eq!(other.lifetime.cause(), Some(Cause::Removal));
        assert_eq!(receiver.lifetime().cause(), Some(Cause::SurpriseRemoval));
        assert!(machine.devices.all().is_empty());
    }

    #[test]
    fn a_vin_goes_while_the_receiver_waits_for_another() {
        let (group, machine) = three_vins();
        let (stuck, pulled) = (group.vin(0).unwrap(), group.vin(1).unwrap());
        let [end, other_end] = [&stuck, &pulled].map(stick);
        let all = machine.bus.unbind(CSI2_DRIVER, CSI2_DEVICE).unwrap();
        eventually("the unplug of all begins", || stuck.lifetime.is_unplugged() && pulled.lifetime.is_unplugged());
        let one = machine.bus.remove(VINS[1], Cause::SurpriseRemoval).unwrap();
        eventually("it hears of the worse cause", || pulled.lifetime.cause() == Some(Cause::SurpriseRemoval));
        drop(other_end);
        assert!(done(&one), "its removal waits for another VIN");
        assert_eq!(all.wait_for(Duration::ZERO), Ok(None));
        drop(end);
        all.wait().unwrap();
        // Those that are still bound have their hardware back.
        machine.bus.bind(CSI2_DRIVER, CSI2_DEVICE).unwrap();
        assert_eq!([0, 1, 2].map(|channel| group.vin(channel).is_some()), [true, false, true]);
    }

    #[test]
    fn all_are_closed_at_the_end_while_one_vin_drains() {
        let (group, machine) = three_vins();
        let (stuck, other) = (group.vin(0).unwrap(), group.vin(1).unwrap());
        let (receiver, _) = group.plugged.lock().receiver.clone().unwrap();
        let end = stick(&stuck);
        thread::scope(|scope| {
            let unbound = scope.spawn(|| machine.unbind_all());
            eventually("the others go", || machine.devices.get("video1").is_none());
            eventually("the receiver is closed", || receiver.lifetime().is_unplugged());
            assert!(other.lifetime.is_unplugged() && !unbound.is_finished());
            drop(end);
            unbound.join().unwrap().unwrap();
        });
        assert!(machine.devices.all().is_empty());
    }

    #[test]
    fn they_go_in_any_order_at_once() {
        for round in 0..100 {
            let (group, machine) = three_vins();
            let mut removals: Vec<_> = VINS.iter().map(|vin| (DRIVER, *vin)).collect();
            removals.insert(round % 4, (CSI2_DRIVER, CSI2_DEVICE));
            let removals: Vec<_> =
                removals.iter().map(|(driver, device)| machine.bus.unbind(driver, device).unwrap()).collect();
            for removal in removals {
                assert!(done(&removal), "{}: {}", removal.device(), removal.stragglers());
            }
            assert!(machine.devices.all().is_empty() && group.graph().vins.is_empty());
            assert_eq!(machine.faults(), Vec::<String>::new());
        }
    }

    #[test]
    fn what_is_going_hears_of_a_worse_cause() {
        let (group, machine) = three_vins();
        let (vin, receiver) = (group.vin(0).unwrap(), group.receiver().unwrap());
        let end = stick(&vin);
        let mut removals = vec![machine.bus.unbind(DRIVER, VINS[0]).unwrap()];
        eventually("its unplug begins", || vin.lifetime.is_unplugged());
        removals.push(machine.bus.remove(VINS[0], Cause::SurpriseRemoval).unwrap());
        assert_eq!(vin.lifetime.cause(), Some(Cause::SurpriseRemoval));
        removals.push(machine.bus.unbind(CSI2_DRIVER, CSI2_DEVICE).unwrap());
        eventually("the receiver's begins", || receiver.lifetime().is_unplugged());
        removals.push(machine.bus.remove(CSI2_DEVICE, Cause::SurpriseRemoval).unwrap());
        assert_eq!(receiver.lifetime().cause(), Some(Cause::SurpriseRemoval));
        drop(end);
        assert!(removals.iter().all(|removal| done(removal)));
    }

    /// An operation that nobody can wake, on a thread of its own, until what is returned is dropped.
    fn stick(vin: &Arc<RcarVin>) -> Sender<()> {
        let (vin, (entered, is_inside), (end, ended)) = (vin.clone(), channel(), channel::<()>());
        thread::spawn(move || {
            let _access = vin.lifetime.enter(op!("stuck")).unwrap();
            entered.send(()).unwrap();
            let _ = ended.recv();
        });
        is_inside.recv().unwrap();
        end
    }

    /// Whether the removal ends, even if another device is waited for.
    fn done(removal: &Removal) -> bool {
        removal.wait_for(DEADLINE).unwrap().is_some()
    }
}
