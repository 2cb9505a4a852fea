//! VINs and the CSI-2 receiver that feeds them: several drivers' devices, whose nodes come and go together.
//!
//! The nodes of the VINs appear when the receiver is bound, and its unbind takes every one of them down in one
//! [unplug](fops_runtime::Unplug). All of them refuse new operations before any is waited for, so no operation can hold up
//! the unplug by waiting for another. The VINs themselves stay bound, and get new nodes when a receiver is bound again.
//! After `struct rvin_group` and its notifier in `rcar-core.c`.
use crate::driver::core::{RcarVin, VinPort};
use crate::driver::csi2::{CHANNELS, Csi2, Csi2Hw};
use crate::driver::media::MediaDevice;
use fops_host::{BusDevice, Nodes, Probe};
use fops_runtime::{Cause, Errno, Present, Result, Subdev, Unplug as _, UnplugError};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// VINs that one receiver feeds: `struct rvin_group`.
#[derive(Default)]
pub struct RvinGroup {
    /// Who is here. Held while nodes come and go, which may take as long as the operations in flight do.
    members: Mutex<Members>,
    /// What has nodes. For those who must not wait: held for a look and no longer.
    plugged: Mutex<Plugged>,
    routes: Arc<Routes>,
}

#[derive(Default)]
struct Members {
    vins: BTreeMap<usize, Member>,
    receiver: Option<Subdev<Csi2>>,
    /// Of the receiver.
    nodes: Option<Arc<Nodes>>,
}

/// A VIN that is bound to its driver.
struct Member {
    device: BusDevice,
    nodes: Arc<Nodes>,
    /// While it has no node.
    port: Option<VinPort>,
}

#[derive(Default)]
struct Plugged {
    vins: BTreeMap<usize, Arc<RcarVin>>,
    receiver: Option<(Subdev<Csi2>, Arc<MediaDevice>)>,
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
        let mut members = self.members.lock();
        let device = probe.bus_device().clone();
        let mut member = Member { device, nodes: probe.nodes().clone(), port: Some(port) };
        if let (Some(receiver), Some(nodes)) = (&members.receiver, &members.nodes) {
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
        // Refused, woken and stopped at once, whatever the rest of the group waits for. That may be going down already, for
        // a better reason, and hears of this one's. The role is given up again: of the two, whoever has the lock goes on.
        if let Some(vin) = self.vin(channel)
            && let Err(UnplugError::Deadlock) = vin.begin_unplug(cause).map(drop)
        {
            return Err(UnplugError::Deadlock);
        }
        let mut members = self.members.lock();
        if let Some(vin) = self.vin(channel) {
            let hw = vin.unplug(cause)?;
            self.plugged.lock().vins.remove(&channel);
            return members.vins.remove(&channel).map(|_| hw.port).ok_or(UnplugError::AlreadyUnplugged);
        }
        members.vins.remove(&channel).and_then(|member| member.port).ok_or(UnplugError::AlreadyUnplugged)
    }

    /// The receiver is bound: the nodes appear (`rvin_group_notify_complete`).
    ///
    /// # Errors
    /// `EBUSY` where there is one already; no node has appeared then. A VIN that cannot have a node, for want of memory,
    /// is logged, and is none.
    pub(crate) fn bound(self: &Arc<Self>, receiver: &Subdev<Csi2>, probe: &Probe) -> Result {
        let members = &mut *self.members.lock();
        if members.receiver.is_some() {
            return Err(Errno::EBUSY);
        }
        let media = MediaDevice::new(self, receiver, &self.routes);
        probe.nodes().register("v4l-subdev", &Arc::new(receiver.clone()), None);
        probe.nodes().register("media", &media, None);
        self.plugged.lock().receiver = Some((receiver.clone(), media));
        for (&channel, member) in &mut members.vins {
            if let Err(errno) = self.plug(channel, member, receiver, probe.nodes()) {
                // The others work without it.
                tracing::error!("{}: no node: {errno}", member.device.name());
            }
        }
        members.receiver = Some(receiver.clone());
        members.nodes = Some(probe.nodes().clone());
        Ok(())
    }

    /// The receiver goes: it, the media node and all VINs' nodes are unplugged as one (`rvin_group_notify_unbind`).
    ///
    /// The VINs' own hardware is there, even if the receiver's is not.
    ///
    /// # Errors
    /// As [`Unplug::unplug`](fops_runtime::Unplug::unplug).
    pub(crate) fn unbound(&self, cause: Cause) -> Result<Csi2Hw, UnplugError> {
        let mut members = self.members.try_lock().unwrap_or_else(|| {
            self.close(cause);
            self.members.lock()
        });
        let (receiver, media, vins) = {
            let plugged = self.plugged.lock();
            let Some((receiver, media)) = plugged.receiver.clone() else { return Err(UnplugError::AlreadyUnplugged) };
            (receiver, media, plugged.vins.clone())
        };
        let nodes: Vec<_> = vins.values().map(|vin| &**vin).collect();
        let ((hws, ()), csi2) = (Present((nodes, &*media)), &receiver).unplug(cause)?;
        *self.plugged.lock() = Plugged::default();
        (members.receiver, members.nodes) = (None, None);
        for (channel, hw) in vins.keys().zip(hws) {
            if let Some(member) = members.vins.get_mut(channel) {
                member.port = Some(hw.port);
                member.nodes.unregister_unplugged();
            }
        }
        Ok(csi2)
    }

    /// Somebody waits for one VIN, and may for long: the receiver and the other nodes are refused, woken and stopped at once,
    /// as in [`leave`](Self::leave).
    fn close(&self, cause: Cause) {
        let (receiver, vins) = {
            let plugged = self.plugged.lock();
            (plugged.receiver.clone(), plugged.vins.clone())
        };
        // One that is closed has whoever waits for it.
        for vin in vins.values().filter(|vin| !vin.lifetime.is_unplugged()) {
            drop(vin.begin_unplug(cause.min(Cause::Removal)));
        }
        if let Some((receiver, media)) = receiver {
            drop(media.begin_unplug(cause.min(Cause::Removal)));
            drop(receiver.begin_unplug(cause));
        }
    }

    /// The node of a VIN, for its interrupt handler, and for links.
    pub(crate) fn vin(&self, channel: usize) -> Option<Arc<RcarVin>> {
        self.plugged.lock().vins.get(&channel).cloned()
    }

    /// The VINs that have nodes: number and device name.
    pub(crate) fn vins(&self) -> Vec<(usize, String)> {
        let plugged = self.plugged.lock();
        plugged.vins.iter().map(|(&channel, vin)| (channel, vin.device.name().to_owned())).collect()
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
        self.plugged.lock().vins.insert(channel, vin.clone());
        vin.register(&member.nodes);
        nodes.take_along(&member.nodes);
        Ok(())
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
    use crate::deadline::eventually;
    use crate::driver::csi2::CSI2_DEVICE;
    use fops_runtime::Device as _;
    use fops_runtime::op::op;

    #[test]
    fn a_vin_is_closed_at_once_whatever_the_group_waits_for() {
        let vins = ["e6ef0000.video", "e6ef1000.video"];
        let group = RvinGroup::new();
        let machine = Machine::with_group(&vins, group.clone()).unwrap();
        let (stuck, pulled) = (group.vin(0).unwrap(), group.vin(1).unwrap());
        let access = stuck.lifetime.enter(op!("stuck")).unwrap();
        let closed = |vin: &RcarVin| eventually("the VIN is closed", || vin.lifetime.is_unplugged());
        let first = machine.bus.remove(vins[0], Cause::Unbind).unwrap();
        closed(&stuck);
        let second = machine.bus.remove(vins[1], Cause::SurpriseRemoval).unwrap();
        closed(&pulled);
        assert_eq!(pulled.lifetime.cause(), Some(Cause::SurpriseRemoval));
        drop(access);
        for removal in [first, second] {
            removal.wait().unwrap();
        }
    }

    #[test]
    fn the_receiver_closes_the_others_at_once_whatever_one_vin_waits_for() {
        let vins = ["e6ef0000.video", "e6ef1000.video"];
        let group = RvinGroup::new();
        let machine = Machine::with_group(&vins, group.clone()).unwrap();
        let (stuck, other) = (group.vin(0).unwrap(), group.vin(1).unwrap());
        let (receiver, media) = group.plugged.lock().receiver.clone().unwrap();
        let access = stuck.lifetime.enter(op!("stuck")).unwrap();
        let first = machine.bus.remove(vins[0], Cause::Unbind).unwrap();
        // Until it is waited for, it holds nobody up.
        eventually("its removal waits for it", || stuck.lifetime.is_unplugged() && group.members.try_lock().is_none());
        let second = machine.bus.remove(CSI2_DEVICE, Cause::SurpriseRemoval).unwrap();
        eventually("the others are closed", || {
            [other.lifetime.is_unplugged(), receiver.lifetime().is_unplugged(), media.lifetime().is_unplugged()]
                .iter()
                .all(|closed| *closed)
        });
        assert!(group.stragglers().contains("stuck"), "{}", group.stragglers());
        drop(access);
        for removal in [first, second] {
            removal.wait().unwrap();
        }
        assert_eq!(other.lifetime.cause(), Some(Cause::Removal));
        assert_eq!(receiver.lifetime().cause(), Some(Cause::SurpriseRemoval));
        assert!(machine.devices.all().is_empty());
    }
}
