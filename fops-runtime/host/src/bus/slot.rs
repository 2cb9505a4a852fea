//! What there is to one device on the bus.
use crate::bus::binding::Binding;
use crate::bus::device_nodes::Nodes;
use crate::bus::removal::Removal;
use std::sync::Arc;

/// What there is to a device on the bus.
pub(crate) enum Slot {
    Unbound,
    /// Probe is running.
    Binding {
        driver: String,
        /// The device has been removed meanwhile: to be carried out after probe.
        removal: Option<Arc<Removal>>,
    },
    Bound(Bound),
    Removing {
        driver: String,
        removal: Arc<Removal>,
        /// The device goes, not only its driver.
        leaves: bool,
    },
    /// The device has gone from the bus. What it was bound to, for when it is found again.
    Absent {
        driver: Option<String>,
    },
}

#[derive(Clone)]
pub(crate) struct Bound {
    pub(crate) driver: String,
    pub(crate) binding: Arc<dyn Binding>,
    pub(crate) nodes: Arc<Nodes>,
}

impl Slot {
    pub(crate) const fn is_on_bus(&self) -> bool {
        !matches!(self, Self::Absent { .. })
    }

    pub(crate) fn driver(&self) -> Option<&str> {
        match self {
            Self::Unbound | Self::Absent { .. } => None,
            Self::Bound(bound) => Some(&bound.driver),
            Self::Binding { driver, .. } | Self::Removing { driver, .. } => Some(driver),
        }
    }
}
