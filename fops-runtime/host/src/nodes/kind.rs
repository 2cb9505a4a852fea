//! What sysfs calls the nodes of one prefix, and their device numbers.

/// What sysfs calls the nodes of one prefix, and their device numbers: `video0` is a device of class `video4linux`, with
/// number 81:0.
///
/// The numbers exist in the small sysfs and in what a driver says of its nodes. A file that is served has none of its own.
///
/// ```
/// use fops_host::{Devices, NodeKind};
///
/// let devices = Devices::new();
/// devices.add_kind(NodeKind::class("video", "video4linux", 81, 0));
/// devices.add_kind(NodeKind::bus("media", "media", 511, 0));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeKind {
    pub(crate) prefix: String,
    pub(crate) subsystem: Subsystem,
    major: u32,
    first_minor: u32,
}

/// Where sysfs lists a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subsystem {
    /// In `class/<name>`.
    Class(String),
    /// In `bus/<name>/devices`.
    Bus(String),
}

impl NodeKind {
    /// Nodes `prefix` and a number are devices of a class: number `major`:`first_minor` for the first.
    pub fn class(prefix: &str, class: &str, major: u32, first_minor: u32) -> Self {
        Self { prefix: prefix.into(), subsystem: Subsystem::Class(class.into()), major, first_minor }
    }

    /// Nodes `prefix` and a number are devices of a bus, which has no drivers: number `major`:`first_minor` for the first.
    pub fn bus(prefix: &str, bus: &str, major: u32, first_minor: u32) -> Self {
        Self { prefix: prefix.into(), subsystem: Subsystem::Bus(bus.into()), major, first_minor }
    }

    /// The device number of the node `prefix` and `number`.
    pub(crate) const fn device_number(&self, number: u32) -> (u32, u32) {
        (self.major, self.first_minor + number)
    }
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
impl Subsystem {
    /// The class, if it is one.
    pub(crate) const fn as_class(&self) -> Option<&String> {
        if let Self::Class(name) = self { Some(name) } else { None }
    }

    /// The bus, if it is one.
    pub(crate) const fn as_bus(&self) -> Option<&String> {
        if let Self::Bus(name) = self { Some(name) } else { None }
    }
}

#[cfg(all(test, feature = "fuse", target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_listed_by_class_or_by_bus() {
        let of = |kind: NodeKind| (kind.subsystem.as_class().cloned(), kind.subsystem.as_bus().cloned());
        assert_eq!(of(NodeKind::class("video", "video4linux", 81, 0)), (Some("video4linux".into()), None));
        assert_eq!(of(NodeKind::bus("media", "media", 511, 0)), (None, Some("media".into())));
    }
}
