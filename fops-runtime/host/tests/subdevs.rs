//! The bus unplugs a device with its subdevs, whichever way the device goes.
#[path = "../../tests/common/mod.rs"]
mod common;

use fops_host::{Bus, Devices, Driver, Probe, Removal};
use fops_runtime::op::op;
use fops_runtime::{
    Access, Cause, Device as _, DeviceLifetime, Errno, Result, Subdev, SubdevOperations, Unplug as _, guarded_fops,
};
use std::sync::{Arc, Mutex};

struct Csi2 {
    lifetime: DeviceLifetime<u8>,
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl SubdevOperations for Csi2 {
    fn s_stream(&self, #[access] _lanes: &Access<'_, u8>, _enable: bool) -> Result {
        Ok(())
    }
    fn release(self) {}
}

struct Vin {
    lifetime: DeviceLifetime<&'static str>,
    csi2: Subdev<Csi2>,
}

#[guarded_fops(lifetime = lifetime, resources = &'static str, unplug(subdevs(csi2 = Csi2)), default = guarded)]
impl Vin {
    fn start(&self) -> Result {
        self.csi2.s_stream(true)
    }
}

/// What remove was given.
type Removed = Arc<Mutex<Vec<(&'static str, Option<u8>, Cause)>>>;

struct VinDriver {
    csi2: Mutex<Option<Subdev<Csi2>>>,
    removed: Removed,
}

impl Driver for VinDriver {
    type Device = Vin;

    fn name(&self) -> &str {
        "vin"
    }

    fn probe(&self, _: &mut Probe) -> Result<Arc<Vin>> {
        let csi2 = self.csi2.lock().unwrap().take().ok_or(Errno::ENODEV)?;
        let vin = Vin { lifetime: DeviceLifetime::new("registers"), csi2 };
        vin.start()?;
        Ok(Arc::new(vin))
    }

    fn remove(&self, _: &Arc<Vin>, (registers, (lanes,)): (&'static str, (Option<u8>,)), cause: Cause) {
        self.removed.lock().unwrap().push((registers, lanes, cause));
    }
}

/// A bus with the device bound, and the device's subdev.
fn bound() -> (Arc<Bus>, Subdev<Csi2>, Removed) {
    let (bus, csi2) = (Bus::new("platform", Devices::new()), Subdev::new(Csi2 { lifetime: DeviceLifetime::new(4) }));
    let removed = Removed::default();
    bus.register_driver(VinDriver { csi2: Mutex::new(Some(csi2.clone())), removed: removed.clone() }).unwrap();
    bus.add_device("vin.0").unwrap();
    bus.bind("vin", "vin.0").unwrap();
    assert_eq!(csi2.s_stream(true), Ok(()));
    (bus, csi2, removed)
}

fn takes_the_subdev(cause: Cause, remove: impl FnOnce(&Arc<Bus>) -> Option<Arc<Removal>>) {
    let (bus, csi2, removed) = bound();
    if let Some(removal) = remove(&bus) {
        removal.wait_for(common::DEADLINE).unwrap().expect("it goes in time");
    }
    assert_eq!(csi2.s_stream(true), Err(Errno::ENODEV));
    assert_eq!(*removed.lock().unwrap(), [("registers", Some(4), cause)]);
}

#[test]
fn by_unbind_by_removal_and_by_unload() {
    takes_the_subdev(Cause::Unbind, |bus| Some(bus.unbind("vin", "vin.0").unwrap()));
    takes_the_subdev(Cause::SurpriseRemoval, |bus| Some(bus.remove("vin.0", Cause::SurpriseRemoval).unwrap()));
    takes_the_subdev(Cause::Unbind, |bus| {
        bus.unregister_driver("vin").unwrap();
        None
    });
}

/// An operation of the subdev is waited for and named, and a cause that gets worse reaches the subdev too.
#[test]
fn the_removal_waits_for_the_subdev_and_names_it() {
    let (bus, csi2, removed) = bound();
    let access = csi2.lifetime().enter(op!("s_stream")).unwrap();
    let removal = bus.unbind("vin", "vin.0").unwrap();
    common::eventually("it is waited for", || removal.stragglers().contains("waited for"));
    assert!(removal.stragglers().contains("s_stream"), "{}", removal.stragglers());
    bus.remove("vin.0", Cause::SurpriseRemoval).unwrap();
    assert_eq!(csi2.lifetime().cause(), Some(Cause::SurpriseRemoval));
    assert!(removed.lock().unwrap().is_empty());
    drop(access);
    removal.wait_for(common::DEADLINE).unwrap().expect("it goes in time");
    assert_eq!(*removed.lock().unwrap(), [("registers", Some(4), Cause::SurpriseRemoval)]);
}

/// The subdev is pulled while the device stays; then the device is unbound, as what it is.
#[test]
fn a_subdev_that_has_gone_does_not_keep_the_device() {
    let (bus, csi2, removed) = bound();
    assert_eq!(csi2.unplug(Cause::SurpriseRemoval), Ok(4));
    bus.unbind("vin", "vin.0").unwrap().wait_for(common::DEADLINE).unwrap().expect("it goes in time");
    assert_eq!(*removed.lock().unwrap(), [("registers", None, Cause::Unbind)]);
}
