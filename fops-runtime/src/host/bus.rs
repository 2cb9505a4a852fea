//! The bus: binds drivers to devices by name, and unbinds them.
use super::devices::Devices;
use super::driver::{Driver, Probe};
use super::{Node, Removal};
use crate::{Cause, Errno, Result, Unplug};
use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// A bus such as the platform bus: devices, drivers, and who is bound to whom.
///
/// However a device goes, `echo > unbind`, removal from the bus or the end of the program, it is unplugged
/// here and then torn down by its driver's [`remove`](Driver::remove), once, on a thread of its own.
pub struct Bus {
    name: String,
    devices: Arc<Devices>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    drivers: BTreeMap<String, Arc<dyn AnyDriver>>,
    /// By name.
    slots: BTreeMap<String, Slot>,
}

/// What there is to a device on the bus.
enum Slot {
    Unbound,
    /// Probe is running.
    Binding,
    Bound(Bound),
    Removing {
        driver: String,
        removal: Arc<Removal>,
    },
}

#[derive(Clone)]
struct Bound {
    driver: String,
    binding: Arc<dyn Binding>,
    nodes: Vec<Arc<Node>>,
}

impl Bus {
    /// A bus without devices, whose nodes go among `devices`.
    pub fn new(name: &str, devices: Arc<Devices>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), devices, state: Mutex::default() })
    }

    /// Its name, such as `platform`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the nodes of its devices are.
    pub const fn devices(&self) -> &Arc<Devices> {
        &self.devices
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
        state.drivers.insert(name, Arc::new(Registered(Arc::new(driver))));
        Ok(())
    }

    /// A device has come: `e6ef0000.video`. It is bound to no driver yet.
    ///
    /// # Errors
    /// `EEXIST` where there is one of that name.
    pub fn add_device(&self, name: &str) -> Result {
        let mut state = self.lock();
        if state.slots.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        state.slots.insert(name.into(), Slot::Unbound);
        Ok(())
    }

    /// Binds the driver to the device: probes, and registers the nodes.
    ///
    /// # Errors
    /// `ENODEV` where there is no such driver or device; `EBUSY` where the device has a driver; `EIO` when
    /// probe panicked; else probe's.
    pub fn bind(&self, driver: &str, device: &str) -> Result {
        let any = {
            let mut state = self.lock();
            let any = state.drivers.get(driver).ok_or(Errno::ENODEV)?.clone();
            match state.slots.get_mut(device).ok_or(Errno::ENODEV)? {
                slot @ Slot::Unbound => *slot = Slot::Binding,
                _ => return Err(Errno::EBUSY),
            }
            any
        };
        let mut probe = Probe::new(device);
        let probed = catch_unwind(AssertUnwindSafe(|| any.probe(&mut probe))).unwrap_or_else(|_| {
            tracing::error!(device, driver, "probe panicked");
            Err(Errno::EIO)
        });
        // The nodes appear before the bus says that the device is bound, and go after.
        let bound = probed.map(|binding| {
            let nodes = probe.into_nodes(&self.devices);
            Bound { driver: driver.into(), binding, nodes }
        });
        let (slot, result) = match bound {
            Ok(bound) => {
                let names: Vec<_> = bound.nodes.iter().map(|node| node.name()).collect();
                tracing::info!("{device}: bound to {driver}, nodes {names:?}");
                (Slot::Bound(bound), Ok(()))
            }
            Err(errno) => (Slot::Unbound, Err(errno)),
        };
        self.lock().slots.insert(device.into(), slot);
        result
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

    /// Begins to remove the device's driver because the device goes: `cause`.
    ///
    /// Does not wait, so an operation may ask for its own device to go.
    ///
    /// # Errors
    /// `ENODEV` where that device is not bound.
    pub fn remove(self: &Arc<Self>, device: &str, cause: Cause) -> Result<Arc<Removal>> {
        self.begin_removal(device, None, cause)
    }

    /// Unloads a driver: unbinds it from all its devices, and forgets it.
    ///
    /// # Errors
    /// `EBUSY` while a file of one of its devices is open, or one is being bound or removed; `ENODEV` where there
    /// is no such driver; `EINTR` when a signal came for the caller, with the driver still there.
    pub fn unregister_driver(self: &Arc<Self>, driver: &str) -> Result {
        let devices: Vec<String> = {
            let state = self.lock();
            state.drivers.get(driver).ok_or(Errno::ENODEV)?;
            let of_driver = state.slots.iter().filter(|(_, slot)| slot.driver() == Some(driver));
            of_driver
                .map(|(name, slot)| match slot {
                    Slot::Bound(bound) if bound.nodes.iter().all(|node| node.open_files() == 0) => Ok(name.clone()),
                    _ => Err(Errno::EBUSY),
                })
                .collect::<Result<_>>()?
        };
        for device in devices {
            self.unbind(driver, &device)?.wait()?;
        }
        self.lock().drivers.remove(driver);
        Ok(())
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
        state.slots.iter().map(|(device, slot)| (device.clone(), slot.driver().map(Into::into))).collect()
    }

    /// The nodes of a bound device.
    pub fn nodes(&self, device: &str) -> Vec<Arc<Node>> {
        match self.lock().slots.get(device) {
            Some(Slot::Bound(bound)) => bound.nodes.clone(),
            _ => Vec::new(),
        }
    }

    fn begin_removal(self: &Arc<Self>, device: &str, driver: Option<&str>, cause: Cause) -> Result<Arc<Removal>> {
        let (bound, removal) = {
            let mut state = self.lock();
            let slot = state.slots.get_mut(device).ok_or(Errno::ENODEV)?;
            if driver.is_some() && slot.driver() != driver {
                return Err(Errno::ENODEV);
            }
            match slot {
                Slot::Unbound | Slot::Binding => return Err(Errno::ENODEV),
                Slot::Removing { removal, .. } => return Ok(removal.clone()),
                Slot::Bound(bound) => {
                    let bound = bound.clone();
                    let binding = bound.binding.clone();
                    let removal = Arc::new(Removal::new(device, cause, Box::new(move || binding.stragglers())));
                    *slot = Slot::Removing { driver: bound.driver.clone(), removal: removal.clone() };
                    (bound, removal)
                }
            }
        };
        self.start_removal(bound, &removal);
        Ok(removal)
    }

    /// Removes on one thread and watches from another, so that a hook that hangs is reported too.
    fn start_removal(self: &Arc<Self>, bound: Bound, removal: &Arc<Removal>) {
        let watched = removal.clone();
        // Without a thread for it, nobody reports: the removal goes on all the same.
        let _ = thread::Builder::new().name("removal watch".into()).spawn(move || watched.watch());
        let work = (self.clone(), bound.clone(), removal.clone());
        let spawned = thread::Builder::new().name("removal".into()).spawn(move || {
            let (bus, bound, removal) = work;
            bus.carry_out(bound, &removal);
        });
        if spawned.is_err() {
            self.carry_out(bound, removal);
        }
    }

    fn carry_out(&self, bound: Bound, removal: &Removal) {
        let result = bound.binding.remove(removal.cause());
        let slot = if result == Err(Errno::EDEADLK) {
            // Refused: the device is as it was.
            Slot::Bound(bound)
        } else {
            for node in &bound.nodes {
                self.devices.unregister(node);
            }
            Slot::Unbound
        };
        self.lock().slots.insert(removal.device().into(), slot);
        removal.finish(result);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Drivers do not run under it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn driver(&self) -> Option<&str> {
        match self {
            Self::Unbound | Self::Binding => None,
            Self::Bound(bound) => Some(&bound.driver),
            Self::Removing { driver, .. } => Some(driver),
        }
    }
}

impl fmt::Debug for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bus").field("name", &self.name).field("devices", &self.device_names()).finish_non_exhaustive()
    }
}

/// A driver of any type.
trait AnyDriver: Send + Sync {
    fn probe(&self, probe: &mut Probe) -> Result<Arc<dyn Binding>>;
}

/// A driver and one device that it is bound to.
trait Binding: Send + Sync {
    /// Unplugs the device and has the driver tear it down.
    fn remove(&self, cause: Cause) -> Result;
    /// What an unplug of the device waits for.
    fn stragglers(&self) -> String;
}

struct Registered<D>(Arc<D>);

impl<D: Driver> AnyDriver for Registered<D> {
    fn probe(&self, probe: &mut Probe) -> Result<Arc<dyn Binding>> {
        let device = self.0.probe(probe)?;
        Ok(Arc::new(BoundTo { driver: self.0.clone(), device }))
    }
}

struct BoundTo<D: Driver> {
    driver: Arc<D>,
    device: Arc<D::Device>,
}

impl<D: Driver> Binding for BoundTo<D> {
    fn remove(&self, cause: Cause) -> Result {
        let resources = self.device.unplug(cause)?;
        let removed = catch_unwind(AssertUnwindSafe(|| self.driver.remove(&self.device, resources, cause)));
        removed.map_err(|_| {
            tracing::error!(driver = self.driver.name(), "remove panicked");
            Errno::EIO
        })
    }

    fn stragglers(&self) -> String {
        self.device.lifetime().report().to_string()
    }
}
