//! The small sysfs: what is in `sys`.
use super::attribute::Attribute;
use super::entry::{Child, Entry};
use crate::bus::bus_type::Bus;
use crate::nodes::kind::Subsystem;
use crate::nodes::node::Node;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A node that sysfs lists, and the device it belongs to.
struct Listed {
    device: String,
    node: Arc<Node>,
}

/// What is in a directory below `sys`; nothing where there is no such directory.
pub(super) fn children(bus: &Bus, path: &[&str]) -> Vec<Child> {
    let kinds = bus.devices().kinds();
    let has_class = kinds.iter().any(|kind| matches!(kind.subsystem, Subsystem::Class(_)));
    let subsystems = |of: fn(&Subsystem) -> Option<&String>| -> BTreeSet<String> {
        kinds.iter().filter_map(|kind| of(&kind.subsystem).cloned()).collect()
    };
    let (classes, buses) = (subsystems(Subsystem::as_class), subsystems(Subsystem::as_bus));
    match *path {
        [] => {
            let mut children = vec![directory("bus"), directory("devices")];
            children.extend(has_class.then(|| directory("class")));
            children.extend((!kinds.is_empty()).then(|| directory("dev")));
            children
        }
        ["bus"] => buses.iter().map(String::as_str).chain([bus.name()]).map(directory).collect(),
        ["devices"] => vec![directory(bus.name())],
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
        ["bus", name] if buses.contains(name) => vec![directory("devices")],
        ["bus", name, "devices"] if buses.contains(name) => {
            links(bus, "../../../", |node| node.subsystem().and_then(Subsystem::as_bus).is_some_and(|bus| bus == name))
        }
        ["class"] => classes.iter().map(|class| directory(class)).collect(),
        ["class", name] if classes.contains(name) => links(bus, "../../", |node| {
            node.subsystem().and_then(Subsystem::as_class).is_some_and(|class| class == name)
        }),
        ["devices", name] if name == bus.name() => {
            bus.device_names().into_iter().map(|(device, _)| directory(&device)).collect()
        }
        ["devices", name, device] if name == bus.name() => device_children(bus, device),
        ["devices", name, device, "power"] if name == bus.name() => power_children(bus, device),
        ["devices", name, device, ref path @ ..] if name == bus.name() => node_children(bus, device, path),
        ["dev"] if !kinds.is_empty() => vec![directory("char")],
        ["dev", "char"] if !kinds.is_empty() => {
            let mut children = vec![directory("0:0")];
            children.extend(listed(bus).iter().filter_map(|listed| {
                let (major, minor) = listed.node.device_number()?;
                Some(Child::link(&format!("{major}:{minor}"), format!("../../{}", listed.path(bus))))
            }));
            children
        }
        _ => Vec::new(),
    }
}

/// The `uevent` of the device number that all files have, for a reader that has looked up a node; without one, the first
/// node's.
pub(super) fn uevent_of_files(bus: &Bus, looked_up: Option<String>) -> Vec<Child> {
    let mut all = listed(bus);
    let at = all.iter().position(|listed| looked_up.as_deref() == Some(listed.node.name())).unwrap_or_else(|| {
        let is_first_class = |listed: &Listed| matches!(listed.node.subsystem(), Some(Subsystem::Class(_)));
        all.iter().position(is_first_class).unwrap_or(0)
    });
    if all.is_empty() { Vec::new() } else { vec![Child::new("uevent", Entry::Text(uevent(&all.swap_remove(at).node)))] }
}

fn directory(name: &str) -> Child {
    Child::new(name, Entry::Directory)
}

/// All nodes whose kind is known, by device.
fn listed(bus: &Bus) -> Vec<Listed> {
    let devices = bus.device_names().into_iter().map(|(device, _)| device);
    devices.flat_map(|device| of_device(bus, &device)).collect()
}

fn of_device(bus: &Bus, device: &str) -> Vec<Listed> {
    let nodes = bus.nodes(device).into_iter().filter(|node| node.subsystem().is_some());
    nodes.map(|node| Listed { device: device.into(), node }).collect()
}

/// Links to those nodes, from a directory that is `up` from `sys`.
fn links(bus: &Bus, up: &str, wanted: impl Fn(&Node) -> bool) -> Vec<Child> {
    let listed = listed(bus).into_iter().filter(|listed| wanted(&listed.node));
    listed.map(|listed| Child::link(listed.node.name(), format!("{up}{}", listed.path(bus)))).collect()
}

impl Listed {
    /// Where it is below `sys`: a device of a class stands in a directory of that name, one of a bus does not.
    fn path(&self, bus: &Bus) -> String {
        let Self { device, node } = self;
        let parent = format!("devices/{}/{device}", bus.name());
        match node.subsystem().and_then(Subsystem::as_class) {
            Some(class) => format!("{parent}/{class}/{}", node.name()),
            None => format!("{parent}/{}", node.name()),
        }
    }
}

fn uevent(node: &Node) -> String {
    let (major, minor) = node.device_number().unwrap_or_default();
    format!("MAJOR={major}\nMINOR={minor}\nDEVNAME={}\n", node.name())
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
        Child::new("reset", Entry::Attribute(Attribute::Reset(device.into()))),
        directory("power"),
        Child::link("subsystem", format!("../../../bus/{}", bus.name())),
    ];
    let last_unplug = bus.last_unplug(device).map(|records| records + "\n");
    children.extend(last_unplug.map(|records| Child::new("last_unplug", Entry::Text(records))));
    let link = |driver| Child::link("driver", format!("../../../bus/{}/drivers/{driver}", bus.name()));
    children.extend(driver.map(link));
    let nodes: BTreeSet<_> = of_device(bus, device)
        .into_iter()
        .map(|listed| match listed.node.subsystem().and_then(Subsystem::as_class) {
            Some(class) => class.clone(),
            None => listed.node.name().to_owned(),
        })
        .collect();
    children.extend(nodes.iter().map(|name| directory(name)));
    children
}

fn power_children(bus: &Bus, device: &str) -> Vec<Child> {
    let is_there = bus.device_names().iter().any(|(name, _)| name == device);
    let state = || Child::new("state", Entry::Attribute(Attribute::Power(device.into())));
    Vec::from_iter(is_there.then(state))
}

/// What is below a device: its nodes, and what each consists of.
fn node_children(bus: &Bus, device: &str, path: &[&str]) -> Vec<Child> {
    let nodes = of_device(bus, device);
    let class_of = |listed: &Listed| listed.node.subsystem().and_then(Subsystem::as_class).cloned();
    let (class, name) = match *path {
        [class] if nodes.iter().any(|listed| class_of(listed).as_deref() == Some(class)) => {
            let of_class = nodes.iter().filter(|listed| class_of(listed).as_deref() == Some(class));
            return of_class.map(|listed| directory(listed.node.name())).collect();
        }
        [name] => (None, name),
        [class, name] => (Some(class), name),
        _ => return Vec::new(),
    };
    let up = if class.is_some() { "../../../../../" } else { "../../../../" };
    let wanted = |listed: &&Listed| class_of(listed).as_deref() == class && listed.node.name() == name;
    nodes.iter().find(wanted).map_or_else(Vec::new, |listed| of_node(listed, up))
}

/// What a node consists of in sysfs. `up` leads to `sys`.
fn of_node(Listed { device, node }: &Listed, up: &str) -> Vec<Child> {
    let (major, minor) = node.device_number().unwrap_or_default();
    let mut children = vec![
        Child::new("dev", Entry::Text(format!("{major}:{minor}\n"))),
        Child::new("uevent", Entry::Text(uevent(node))),
    ];
    match node.subsystem() {
        Some(Subsystem::Class(class)) => children.extend([
            Child::new("index", Entry::Text("0\n".into())),
            Child::new("name", Entry::Text(format!("{device}\n"))),
            Child::link("device", format!("../../../{device}")),
            Child::link("subsystem", format!("{up}class/{class}")),
        ]),
        Some(Subsystem::Bus(bus)) => children.push(Child::link("subsystem", format!("{up}bus/{bus}"))),
        None => {}
    }
    children
}
