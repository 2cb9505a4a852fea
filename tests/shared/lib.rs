//! What the whole-system tests share.
mod act;
mod actor;
mod brake;
mod client;
#[path = "../../fops-runtime/tests/common/deadline.rs"]
mod deadline;
mod log;
mod needs;
mod place;
mod seed;
mod served;
mod serving;
#[path = "../../fops-runtime/tests/common/skip.rs"]
mod skip;
mod wait;

pub use act::{Act, End, Release, Told};
pub use actor::{Actor, Host, InProcess, OnNodes, driver_of, hosts};
pub use brake::Brake;
pub use client::{Client, echo};
pub use log::{capture_log, logged, times_logged};
pub use needs::{Run, needs_exec, needs_v4l_utils, program, run};
pub use place::{Kind, OwnNode, Place, RealNode, as_client};
pub use rcar_vin::machine::Machine;
pub use seed::Seed;
pub use served::{Served, is_mounted, temporary_directory};
pub use serving::Serving;
pub use skip::skip;
pub use wait::{DEADLINE, Sleeper, eventually, falls_asleep, is_asleep, parse_duration, torn_down, wait_for_exit};

use fops_host::{Bus, Devices};
use fops_host::{Driver, Node};
use rcar_vin::board::Vin;
use rcar_vin::core::{DEVICE, DRIVER};
use std::sync::Arc;
use std::time::Duration;

/// A machine with one VIN, bound, whose sensor is fast enough for a test.
pub fn machine() -> Machine {
    machine_with(&[DEVICE])
}

/// A machine with these VINs, bound.
pub fn machine_with(vins: &[&'static str]) -> Machine {
    let machine = Machine::new(vins).unwrap();
    for name in vins {
        vin(&machine, name).set_frame_rate(200.0);
    }
    machine
}

/// A bus with one device, `device`, and one driver that is not bound to it yet.
pub fn bus_with(driver: impl Driver, device: &str) -> Arc<Bus> {
    let bus = Bus::new("platform", Devices::new());
    bus.register_driver(driver).unwrap();
    bus.add_device(device).unwrap();
    bus
}

/// The video nodes there are, those included that are gone but for open files.
pub fn video_nodes(machine: &Machine) -> Vec<Arc<Node>> {
    let nodes = machine.devices.all();
    nodes.into_iter().filter(|node| node.name().starts_with("video")).collect()
}

/// The hardware of this name.
pub fn vin<'a>(machine: &'a Machine, name: &str) -> &'a Vin {
    machine.board.vin(name).unwrap()
}

/// The node of this name.
#[track_caller]
pub fn node(bus: &Bus, name: &str) -> Arc<Node> {
    bus.devices().get(name).unwrap_or_else(|| panic!("no {name} among {:?}", bus.devices()))
}

/// Unbinds the device from its driver, and returns how long that took.
#[track_caller]
pub fn unbind(machine: &Machine, device: &str) -> Duration {
    torn_down(&machine.bus.unbind(DRIVER, device).unwrap())
}

/// The hardware has seen nothing that it must not see: no register access and no transfer after remove.
#[track_caller]
pub fn check(machine: &Machine) {
    assert_eq!(machine.faults(), Vec::<String>::new());
}
