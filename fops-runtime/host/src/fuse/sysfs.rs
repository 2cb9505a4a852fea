//! The small sysfs: what is in `sys`.
use super::attribute::Attribute;
use super::entry::{Child, Entry};
use crate::bus::bus_type::Bus;

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
