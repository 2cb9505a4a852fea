//! The bus: binds drivers to devices by name, and unbinds them.
use crate::bus::binding::{self, AnyDriver};
use crate::bus::device_nodes::Nodes;
use crate::bus::driver::{Driver, Power, Probe};
use crate::bus::removal::{Removal, Removes};
use crate::bus::removers::Removers;
use crate::bus::slot::{Bound, Slot};
use crate::lock::Lock;
use crate::log::log;
use crate::nodes::devices::Devices;
use crate::nodes::node::Node;
use fops_runtime::catch_panic;
use fops_runtime::{Cause, Errno, Result};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, MutexGuard};
use std::thread;

/// A bus such as the platform bus: devices, drivers, and who is bound to whom.
///
/// However a device goes, by `echo > unbind` or by removal from the bus, it is unplugged here and then torn down by
/// its driver's [`remove`](Driver::remove), once, on a thread of its own.
pub struct Bus {
    name: String,
    devices: Arc<Devices>,
    state: Lock<State>,
    removers: Arc<Removers>,
}

#[derive(Default)]
struct State {
    drivers: BTreeMap<String, Loaded>,
    /// By name.
    slots: BTreeMap<String, Slot>,
    /// What the last unplug of each device has done.
    records: BTreeMap<String, String>,
}

struct Loaded {
    driver: Arc<dyn AnyDriver>,
    /// It is being unloaded: nothing is bound to it any more.
    unloading: bool,
    /// The nodes of devices that it is not bound to any more, as long as files of theirs are open.
    old: Vec<Arc<Nodes>>,
}

impl Bus {
    /// A bus without devices, whose nodes go among `devices`.
    pub fn new(name: &str, devices: Arc<Devices>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), devices, state: Lock::default(), removers: Arc::default() })
    }

    /// Its name, such as `platform`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the nodes of its devices are.
    pub const fn devices(&self) -> &Arc<Devices> {
        &self.devices
    }

    /// What the last unplug of a device has done, as [`Removal::records`] has it; `None` if a driver was never unbound from it.
    pub fn last_unplug(&self, device: &str) -> Option<String> {
        self.lock().records.get(device).filter(|records| !records.is_empty()).cloned()
    }

    /// Registers a driver. It is bound to no device yet.
    ///
    /// # Errors
    /// `EEXIST` where there is one of that name.
    pub fn register_driver(&self, driver: impl Driver) -> Result {
        let name = driver.name().to_owned();
        let mut state = self.lock();
        if state.drivers.contains_key(&name) {
            return Err(Errno::EEXIST);
        }
        state.drivers.insert(name, Loaded { driver: binding::any(driver), unloading: false, old: Vec::new() });
        Ok(())
    }

    /// A device has come: `e6ef0000.video`. It is bound to no driver yet.
    ///
    /// # Errors
    /// `EEXIST` where there is one of that name.
    pub fn add_device(&self, name: &str) -> Result {
        let mut state = self.lock();
        if state.slots.get(name).is_some_and(Slot::is_on_bus) {
            return Err(Errno::EEXIST);
        }
        state.slots.insert(name.into(), Slot::Unbound);
        Ok(())
    }

    /// Binds the driver to the device: probes, and registers the nodes.
    ///
    /// # Errors
    /// `ENODEV` where there is no such driver or device; `EBUSY` where the device has a driver, or the driver is being
    /// unloaded; `EAGAIN` if there can be no thread that would remove the device; `EIO` when probe panicked; else probe's.
    pub fn bind(self: &Arc<Self>, driver: &str, device: &str) -> Result {
        let any = self.begin_binding(driver, device)?;
        let mut probe = Probe::new(Arc::<Self>::downgrade(self), &self.devices, device);
        let probe_and_show = || {
            let binding = any.probe(&mut probe)?;
            // The nodes appear before the bus says that the device is bound, and go after.
            probe.nodes().bound();
            Ok(binding)
        };
        let probed = catch_panic(probe_and_show).unwrap_or_else(|| {
            log!(error, "{device}: probe of {driver} panicked");
            Err(Errno::EIO)
        });
        let bound = match probed {
            Ok(binding) => Bound { driver: driver.into(), binding, nodes: probe.nodes().clone() },
            Err(errno) => {
                probe.nodes().unbound();
                let mut state = self.lock();
                let failed = state.slots.insert(device.into(), Slot::Unbound);
                if let Some(Slot::Binding { removal: Some(removal), driver }) = failed {
                    state.slots.insert(device.into(), Slot::Absent { driver: Some(driver) });
                    drop(state);
                    removal.finish(Ok(()));
                }
                return Err(errno);
            }
        };
        log!(info, "{device}: bound to {driver}, nodes {:?}", bound.nodes);
        let mut state = self.lock();
        match state.slots.insert(device.into(), Slot::Bound(bound.clone())) {
            Some(Slot::Binding { removal: Some(removal), driver }) => {
                state.slots.insert(device.into(), Slot::Removing { driver, removal: removal.clone(), leaves: true });
                drop(state);
                self.start_removal(bound, &removal);
                Err(Errno::ENODEV)
            }
            _ => Ok(()),
        }
    }

    fn begin_binding(&self, driver: &str, device: &str) -> Result<Arc<dyn AnyDriver>> {
        let mut state = self.lock();
        let loaded = state.drivers.get(driver).ok_or(Errno::ENODEV)?;
        let (any, unloading) = (loaded.driver.clone(), loaded.unloading);
        let bound = state.slots.values().filter(|slot| slot.driver().is_some()).count();
        match state.slots.get_mut(device).ok_or(Errno::ENODEV)? {
            Slot::Absent { .. } => return Err(Errno::ENODEV),
            Slot::Unbound if !self.removers.reserve(bound + 1) => return Err(Errno::EAGAIN),
            slot @ Slot::Unbound if !unloading => *slot = Slot::Binding { driver: driver.into(), removal: None },
            _ => return Err(Errno::EBUSY),
        }
        Ok(any)
    }

    /// Begins to unbind the driver from the device, as a write to the driver's `unbind` file does.
    ///
    /// Unplug and removal go on in the background; whoever wants to, [waits](Removal::wait). A second unbind is
    /// given the removal that is under way.
    ///
    /// # Errors
    /// `ENODEV` where that device is not bound to that driver.
    pub fn unbind(self: &Arc<Self>, driver: &str, device: &str) -> Result<Arc<Removal>> {
        self.begin_removal(device, Some(driver), Cause::Unbind)
    }

    /// Begins to take the device off the bus, and its driver from it, because the device goes: `cause`. As a write to the
    /// device's `remove` file does.
    ///
    /// Does not wait, so an operation may ask for its own device to go. Where a removal is under way already, its cause
    /// becomes the worse of both. Where probe is running, the removal follows it. Once it is done, the device is not on
    /// the bus any more, until [`rescan`](Self::rescan) finds it or [`add_device`](Self::add_device) puts it there.
    ///
    /// # Errors
    /// `ENODEV` where there is no such device on the bus.
    pub fn remove(self: &Arc<Self>, device: &str, cause: Cause) -> Result<Arc<Removal>> {
        self.begin_removal(device, None, cause)
    }

    /// Has its driver suspend, resume or reset the device. As a write to the device's `power/state` or `reset` file does.
    ///
    /// # Errors
    /// `ENODEV` where no driver is bound to the device; `EIO` when the driver panicked; else as [`Driver::power`].
    pub fn power(&self, device: &str, power: Power) -> Result {
        let binding = match self.lock().slots.get(device) {
            Some(Slot::Bound(bound)) => bound.binding.clone(),
            _ => return Err(Errno::ENODEV),
        };
        // Not under the lock: it waits for operations.
        let result = catch_panic(|| binding.power(power)).unwrap_or_else(|| {
            log!(error, "{device}: the driver panicked at {power:?}");
            Err(Errno::EIO)
        });
        log!(info, "{device}: {power:?}: {result:?}");
        result
    }

    /// Finds the devices that were removed, and binds each to the driver that it had. As a write to the bus's `rescan`
    /// file does.
    ///
    /// # Errors
    /// The first that [`bind`](Self::bind) says; that device stays on the bus without a driver, and the others are bound.
    pub fn rescan(self: &Arc<Self>) -> Result {
        let mut found = Vec::new();
        for (device, slot) in &mut self.lock().slots {
            if let Slot::Absent { driver } = slot {
                found.push((device.clone(), driver.take()));
                *slot = Slot::Unbound;
            }
        }
        let bound = found.into_iter().map(|(device, driver)| {
            log!(info, "{device}: found on the bus");
            driver.map_or(Ok(()), |driver| self.bind(&driver, &device))
        });
        // All of them, whatever the first says.
        bound.collect::<Vec<_>>().into_iter().collect()
    }

    /// Unloads a driver: unbinds it from all its devices, and forgets it.
    ///
    /// # Errors
    /// `EBUSY` while a file of one of its devices is open, of one that is gone too, or one is being bound or removed, or it is being unloaded;
    /// `ENODEV` where there is no such driver; `EINTR` when a signal came for the caller. The driver is still there
    /// then.
    pub fn unregister_driver(self: &Arc<Self>, driver: &str) -> Result {
        let devices = self.begin_unloading(driver)?;
        let unbound = devices.iter().try_for_each(|(device, _)| match self.unbind(driver, device) {
            // A remove that panicked has let go of the device too, and so has one whose device somebody else unplugged.
            Ok(removal) => removal.wait().map(drop).or_else(|errno| match errno {
                Errno::EIO | Errno::ENODEV => Ok(()),
                errno => Err(errno),
            }),
            // Somebody else was faster.
            Err(_) => Ok(()),
        });
        let mut state = self.lock();
        if let Err(errno) = unbound {
            if let Some(loaded) = state.drivers.get_mut(driver) {
                loaded.unloading = false;
            }
            devices.iter().for_each(|(_, nodes)| nodes.accept_opens());
            return Err(errno);
        }
        let gone = state.drivers.remove(driver);
        drop(state);
        // Not under the lock: it is the driver's own code.
        drop(gone);
        Ok(())
    }

    /// From here on nothing is bound to the driver, and no file of its devices is opened.
    fn begin_unloading(&self, driver: &str) -> Result<Vec<(String, Arc<Nodes>)>> {
        let mut state = self.lock();
        let of_driver = state.slots.iter().filter(|(_, slot)| slot.driver() == Some(driver));
        let devices: Vec<_> = of_driver
            .map(|(name, slot)| match slot {
                Slot::Bound(bound) => Ok((name.clone(), bound.nodes.clone())),
                _ => Err(Errno::EBUSY),
            })
            .collect::<Result<_>>()?;
        let loaded = state.drivers.get_mut(driver).ok_or(Errno::ENODEV)?;
        if loaded.unloading || loaded.old.iter().any(|nodes| nodes.are_held()) {
            return Err(Errno::EBUSY);
        }
        if !devices.iter().all(|(_, nodes)| nodes.refuse_opens()) {
            devices.iter().for_each(|(_, nodes)| nodes.accept_opens());
            return Err(Errno::EBUSY);
        }
        loaded.unloading = true;
        Ok(devices)
    }

    /// The drivers, and the devices each is bound to.
    pub fn drivers(&self) -> Vec<(String, Vec<String>)> {
        let state = self.lock();
        let bound_to = |driver: &String| {
            let slots = state.slots.iter().filter(|(_, slot)| slot.driver() == Some(driver));
            slots.map(|(device, _)| device.clone()).collect()
        };
        state.drivers.keys().map(|driver| (driver.clone(), bound_to(driver))).collect()
    }

    /// The devices, and the driver each is bound to.
    pub fn device_names(&self) -> Vec<(String, Option<String>)> {
        let state = self.lock();
        let on_bus = state.slots.iter().filter(|(_, slot)| slot.is_on_bus());
        on_bus.map(|(device, slot)| (device.clone(), slot.driver().map(Into::into))).collect()
    }

    /// The nodes of a bound device.
    pub fn nodes(&self, device: &str) -> Vec<Arc<Node>> {
        match self.lock().slots.get(device) {
            Some(Slot::Bound(bound)) => bound.nodes.list(),
            _ => Vec::new(),
        }
    }

    /// The nodes that go with a bound device: its own, and those of other devices.
    #[cfg(feature = "testkit")]
    pub(crate) fn nodes_of_all(&self, device: &str) -> Vec<Arc<Node>> {
        let nodes = match self.lock().slots.get(device) {
            Some(Slot::Bound(bound)) => bound.nodes.clone(),
            _ => return Vec::new(),
        };
        nodes.all()
    }

    fn begin_removal(self: &Arc<Self>, device: &str, driver: Option<&str>, cause: Cause) -> Result<Arc<Removal>> {
        let (bound, removal) = {
            let mut state = self.lock();
            let slot = state.slots.get_mut(device).ok_or(Errno::ENODEV)?;
            if driver.is_some() && slot.driver() != driver {
                return Err(Errno::ENODEV);
            }
            match slot {
                Slot::Absent { .. } => return Err(Errno::ENODEV),
                Slot::Unbound => {
                    *slot = Slot::Absent { driver: None };
                    let removal = Arc::new(Removal::new(device, cause));
                    removal.finish(Ok(()));
                    return Ok(removal);
                }
                // To the driver's `unbind` file the device is not there yet; but if it goes, it goes.
                Slot::Binding { .. } if driver.is_some() => return Err(Errno::ENODEV),
                Slot::Binding { removal, driver } => {
                    let queued = removal.get_or_insert_with(|| {
                        let removal = Arc::new(Removal::new(device, cause));
                        removal.waits_for(Some(format!("the probe of {driver}")));
                        watch(&removal);
                        removal
                    });
                    let removal = queued.clone();
                    removal.escalate(cause);
                    return Ok(removal);
                }
                Slot::Removing { removal, leaves, .. } => {
                    *leaves |= driver.is_none();
                    let removal = removal.clone();
                    drop(state);
                    removal.escalate(cause);
                    return Ok(removal);
                }
                Slot::Bound(bound) => {
                    let bound = bound.clone();
                    let removal = Arc::new(Removal::new(device, cause));
                    let leaves = driver.is_none();
                    *slot = Slot::Removing { driver: bound.driver.clone(), removal: removal.clone(), leaves };
                    watch(&removal);
                    (bound, removal)
                }
            }
        };
        self.start_removal(bound, &removal);
        Ok(removal)
    }

    fn start_removal(self: &Arc<Self>, bound: Bound, removal: &Arc<Removal>) {
        removal.watch_over(bound.binding.clone());
        removal.waits_for(None);
        let (bus, removal) = (self.clone(), removal.clone());
        let carry_out = move || bus.carry_out(bound, &removal);
        // What a test has fail on this thread fails in the removal too.
        #[cfg(feature = "testkit")]
        let carry_out = {
            let faults = crate::nodes::faults::Faults::here();
            move || faults.run(carry_out)
        };
        self.removers.run(carry_out);
    }

    fn carry_out(&self, bound: Bound, removal: &Removal) {
        let (driver, nodes) = (bound.driver.clone(), bound.nodes.clone());
        let result = catch_panic(|| bound.binding.remove(removal)).unwrap_or_else(|| {
            log!(error, "{}: the driver panicked while it was removed", removal.device());
            Err(Errno::EIO)
        });
        if result == Err(Errno::EDEADLK) {
            // Refused: the device is as it was.
            self.lock().slots.insert(removal.device().into(), Slot::Bound(bound));
        } else {
            removal.waits_for(Some("the driver's state, which is dropped".into()));
            // The driver's state may go with its nodes or its binding, and its destructors may panic.
            let unregistered = catch_panic(|| nodes.unbound());
            // Before anybody is told: a caller that waited finds the device's state gone, except for open files.
            if unregistered.and(catch_panic(|| drop(bound))).is_none() {
                log!(error, "{}: the driver panicked while its state was dropped", removal.device());
            }
            let state = &mut *self.lock();
            state.records.insert(removal.device().into(), removal.records());
            if let Some(loaded) = state.drivers.get_mut(&driver) {
                loaded.old.push(nodes);
                loaded.old.retain(|nodes| nodes.are_held());
            }
            if let Some(slot) = state.slots.get_mut(removal.device()) {
                *slot = match std::mem::replace(slot, Slot::Unbound) {
                    Slot::Removing { driver, leaves: true, .. } => Slot::Absent { driver: Some(driver) },
                    _ => Slot::Unbound,
                };
            }
        }
        removal.finish(result);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Drivers do not run under it.
        self.state.lock()
    }
}

/// Watches the removal from a thread of its own, so that a hook that hangs is reported too.
fn watch(removal: &Arc<Removal>) {
    let watched = removal.clone();
    // Without a thread for it, nobody reports: the removal goes on all the same.
    let _ = thread::Builder::new().name("removal watch".into()).spawn(move || watched.watch());
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.removers.close();
    }
}

impl Removes for Bus {
    fn remove(self: Arc<Self>, device: &str, cause: Cause) -> Result<Arc<Removal>> {
        Self::remove(&self, device, cause)
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.name).field("devices", &self.device_names()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    #[test]
    fn the_threads_of_a_bus_end_with_it() {
        let bus = Bus::new("test", Devices::new());
        let removers = bus.removers.clone();
        assert!(removers.reserve(2));
        drop(bus);
        let began = Instant::now();
        while Arc::strong_count(&removers) > 1 {
            assert!(began.elapsed() < Duration::from_secs(10), "they do not end");
            thread::yield_now();
        }
    }
}
