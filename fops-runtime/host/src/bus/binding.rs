//! Drivers and devices of any type, as the bus keeps them.
use crate::bus::driver::{Driver, Power, Probe, Removable};
use crate::bus::removal::{Removal, Watched};
use fops_runtime::{Cause, Result};
use std::sync::Arc;

/// A driver of any type.
pub(super) trait AnyDriver: Send + Sync {
    fn probe(&self, probe: &mut Probe) -> Result<Arc<dyn Binding>>;
}

/// A driver and one device that it is bound to.
pub(super) trait Binding: Watched {
    /// Unplugs the device and has the driver tear it down.
    fn remove(&self, removal: &Removal) -> Result;
    /// Has the driver suspend, resume or reset the device.
    fn power(&self, power: Power) -> Result;
}

/// The driver, without its type.
pub(super) fn any(driver: impl Driver) -> Arc<dyn AnyDriver> {
    Arc::new(Typed(Arc::new(driver)))
}

struct Typed<D>(Arc<D>);

impl<D: Driver> AnyDriver for Typed<D> {
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
    fn remove(&self, removal: &Removal) -> Result {
        let resources = self.device.take_down(removal.cause())?;
        removal.keep(self.device.records());
        // It may have become worse on the way.
        let cause = self.device.cause().max(Some(removal.cause())).unwrap_or(Cause::Unbind);
        removal.waits_for(Some("the driver's remove".into()));
        self.driver.remove(&self.device, resources, cause);
        Ok(())
    }

    fn power(&self, power: Power) -> Result {
        self.driver.power(&self.device, power)
    }
}

impl<D: Driver> Watched for BoundTo<D> {
    fn stragglers(&self) -> String {
        self.device.stragglers()
    }

    fn escalate(&self, cause: Cause) {
        self.device.escalate(cause);
    }
}
