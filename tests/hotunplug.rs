//! The test kit for unplug, on the VINs and on the receiver whose nodes and theirs are one group: in process, and on nodes
//! with processes.
use fops_host::testkit::{ClientNode, Hotplug, Report};
use fops_runtime::{PollEvents, Result};
use rcar_vin::board::IrqReturn;
use rcar_vin::client::get;
use rcar_vin::core::{DEVICE, DRIVER};
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use rcar_vin::ioctls::*;
use rcar_vin::machine::Machine;
use rcar_vin::uapi::{v4l2_capability, zeroed};
use system_tests::{Act, as_client, check, machine_with, vin};

/// A VIN whose sensor delivers nothing.
const SILENT: &str = "e6ef1000.video";

/// Another one whose frames come.
const OTHER: &str = "e6ef2000.video";

fn machine() -> Machine {
    let machine = machine_with(&[DEVICE, SILENT, OTHER]);
    vin(&machine, SILENT).set_stalled(true);
    machine
}

/// What the driver has taken of a VIN is given back: its registers and its interrupt can be taken again.
fn is_free(machine: &Machine, name: &str) {
    let vin = vin(machine, name);
    assert!(vin.ioremap().is_ok(), "{name}: the registers are mapped");
    assert!(vin.request_irq(|| IrqReturn::None).is_ok(), "{name}: the interrupt is taken");
    assert_eq!(vin.dma_mappings(), 0, "{name}: memory is mapped");
}

fn asks(node: &ClientNode) -> Result<v4l2_capability> {
    get(&*node.open()?, VIDIOC_QUERYCAP, zeroed())
}

#[track_caller]
fn passes(report: &Report) {
    println!("{report}");
    report.assert();
}

#[test]
fn a_vin_goes() {
    let report = Hotplug::on(machine, |machine| machine.bus.clone(), DRIVER, DEVICE)
        .act("streams", as_client(Act::Stream))
        .act("reads", as_client(Act::Read))
        .act("toggles", as_client(Act::Toggle))
        .act("asks", asks)
        .act("polls for events", |node| node.open()?.poll(PollEvents::PRI))
        .beside(OTHER)
        .surprise(|machine| vin(machine, DEVICE).surprise_remove(), |machine| vin(machine, DEVICE).insert())
        .away(check)
        .away(|machine| is_free(machine, DEVICE))
        .on_nodes()
        .run();
    passes(&report);
}

#[test]
fn a_vin_goes_whose_sensor_is_silent() {
    let report = Hotplug::on(machine, |machine| machine.bus.clone(), DRIVER, SILENT)
        .act("sleeps in DQBUF", as_client(Act::Sleep))
        .act("sleeps in read", |node| node.open()?.read(&mut [0; 4096]))
        .act("polls", as_client(Act::Poll))
        .act("waits in epoll", as_client(Act::Epoll))
        .away(check)
        .away(|machine| is_free(machine, SILENT))
        .on_nodes()
        .run();
    passes(&report);
}

#[test]
fn the_receiver_goes_with_the_nodes_of_the_vins() {
    let report = Hotplug::on(machine, |machine| machine.bus.clone(), CSI2_DRIVER, CSI2_DEVICE)
        .act_on("v4l-subdev", "asks the subdev", as_client(Act::Ask))
        .act_on("media", "asks the media node", as_client(Act::Ask))
        .act_on(DEVICE, "streams", as_client(Act::Stream))
        .act_on(SILENT, "sleeps in DQBUF", as_client(Act::Sleep))
        .not_tried("read", "the tests of one VIN have it in flight")
        .not_tried("poll", "likewise")
        .away(check)
        .away(|machine| {
            assert!(machine.board.csi2().unwrap().ioremap().is_ok(), "the registers are mapped");
            assert_eq!(vin(machine, DEVICE).dma_mappings() + vin(machine, SILENT).dma_mappings(), 0);
        })
        .on_nodes()
        .run();
    passes(&report);
}
