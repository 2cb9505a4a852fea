//! The small sysfs: what is in `sys`, and what a write to its attributes does.
use super::caller::with_grace;
use super::tree::{Child, Entry};
use crate::host::{Bus, Removal};
use crate::{Cause, Errno, Result};
use std::sync::Arc;
use std::time::Duration;

/// A file that does something when it is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Of a driver: takes a device's name.
    Bind(String),
    /// The same.
    Unbind(String),
    /// Of a device: takes a `1`.
    Remove(String),
    /// Of the bus: takes a `1`.
    Rescan,
}

/// How long a writer that waits for a removal, and got a signal, still waits.
const GRACE: Duration = Duration::from_millis(500);

impl Attribute {
    /// One `write(2)`: a device's name or a number, with or without a newline.
    ///
    /// # Errors
    /// `EINVAL` for what is no number; else the bus's.
    pub(super) fn write(&self, bus: &Arc<Bus>, data: &[u8]) -> Result {
        let text = std::str::from_utf8(data).unwrap_or("\0");
        let text = text.strip_suffix('\n').unwrap_or(text);
        match self {
            Self::Bind(driver) => bus.bind(driver, text),
            Self::Unbind(driver) => wait_for(&*bus.unbind(driver, text)?),
            Self::Remove(device) if is_yes(text)? => wait_for(&*bus.remove(device, Cause::Removal)?),
            Self::Rescan if is_yes(text)? => bus.rescan(),
            Self::Remove(_) | Self::Rescan => Ok(()),
        }
    }
}

/// As `kstrtoul` has it: 0 is heeded, and asks for nothing.
fn is_yes(text: &str) -> Result<bool> {
    text.parse::<u64>().map(|number| number != 0).map_err(|_| Errno::EINVAL)
}

/// A writer that is killed gets `EINTR`, and what it began goes on. FUSE says only that there is a signal: a harmless
/// one, such as a shell's SIGCHLD, is given [`GRACE`] to be overtaken by the removal.
fn wait_for(removal: &Removal) -> Result {
    with_grace(GRACE, |limit| match limit {
        None => removal.wait().map(Some),
        Some(limit) => removal.wait_for(limit),
    })
    .map(drop)
}

/// What is in a directory below `sys`; nothing where there is no such directory.
pub(super) fn children(bus: &Bus, char_uevent: Option<&str>, path: &[&str]) -> Vec<Child> {
    let directory = |name: &str| Child::new(name, Entry::Directory);
    match *path {
        [] => {
            let mut children = vec![directory("bus"), directory("devices")];
            children.extend(char_uevent.map(|_| directory("dev")));
            children
        }
        ["bus"] | ["devices"] => vec![directory(bus.name())],
        ["bus", name] if name == bus.name() => {
            vec![directory("devices"), directory("drivers"), Child::new("rescan", Entry::Attribute(Attribute::Rescan))]
        }
        ["bus", name, "devices"] if name == bus.name() => bus
            .device_names()
            .into_iter()
            .map(|(device, _)| Child::link(&device, format!("../../../devices/{name}/{device}")))
            .collect(),
        ["bus", name, "drivers"] if name == bus.name() => {
            bus.drivers().into_iter().map(|(driver, _)| directory(&driver)).collect()
        }
        ["bus", name, "drivers", driver] if name == bus.name() => driver_children(bus, driver),
        ["devices", name] if name == bus.name() => {
            bus.device_names().into_iter().map(|(device, _)| directory(&device)).collect()
        }
        ["devices", name, device] if name == bus.name() => device_children(bus, device),
        ["dev"] if char_uevent.is_some() => vec![directory("char")],
        ["dev", "char"] if char_uevent.is_some() => vec![directory("0:0")],
        ["dev", "char", "0:0"] => {
            char_uevent.into_iter().map(|text| Child::new("uevent", Entry::Text(text.into()))).collect()
        }
        _ => Vec::new(),
    }
}

fn driver_children(bus: &Bus, driver: &str) -> Vec<Child> {
    let Some((driver, devices)) = bus.drivers().into_iter().find(|(name, _)| name == driver) else {
        return Vec::new();
    };
    let mut children = vec![
        Child::new("bind", Entry::Attribute(Attribute::Bind(driver.clone()))),
        Child::new("unbind", Entry::Attribute(Attribute::Unbind(driver))),
    ];
    let link = |device: String| Child::link(&device, format!("../../../../devices/{}/{device}", bus.name()));
    children.extend(devices.into_iter().map(link));
    children
}

fn device_children(bus: &Bus, device: &str) -> Vec<Child> {
    let Some((_, driver)) = bus.device_names().into_iter().find(|(name, _)| name == device) else {
        return Vec::new();
    };
    let uevent = driver.as_ref().map(|driver| format!("DRIVER={driver}\n")).unwrap_or_default();
    let mut children = vec![
        Child::new("uevent", Entry::Text(uevent)),
        Child::new("remove", Entry::Attribute(Attribute::Remove(device.into()))),
        Child::link("subsystem", format!("../../../bus/{}", bus.name())),
    ];
    let link = |driver| Child::link("driver", format!("../../../bus/{}/drivers/{driver}", bus.name()));
    children.extend(driver.map(link));
    children
}
