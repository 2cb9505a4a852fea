// SPDX-License-Identifier: GPL-2.0
//! A V4L2 capture driver: `/dev/video0` and `/dev/v4l-subdev0`, whose hardware goes when the platform device is unbound.
//!
//! `vin.rs` and `sensor.rs` have the operations, `hw.rs` the hardware; they are without `unsafe`.
mod board;
mod hw;
mod sensor;
mod v4l2;
mod vin;

use board::Interrupt;
use fops_runtime::Cause;
use kernel::{device::Core, platform, prelude::*};
use v4l2::{Node, Registration};
use vin::Vin;

/// What a bound device has.
struct Bound {
    node: Node<Vin>,
    _interrupt: Interrupt<Vin>,
}

struct Driver;

impl platform::Driver for Driver {
    type IdInfo = ();
    type Data<'bound> = Bound;

    fn probe<'bound>(
        pdev: &'bound platform::Device<Core<'_>>,
        _id: Option<&'bound ()>,
    ) -> impl PinInit<Bound, Error> + 'bound {
        let bind = || {
            let vin = Vin::new(pdev)?;
            let interrupt = Interrupt::request(vin.clone())?;
            let node = Node::new(Registration::new(pdev, c"vin", vin.clone())?, c"vin");
            node.registration().add_subdev(c"sensor", &vin.sensor)?;
            Ok(Bound { node, _interrupt: interrupt })
        };
        bind()
    }

    fn unbind<'bound>(_pdev: &'bound platform::Device<Core<'_>>, bound: Pin<&Bound>) {
        drop(bound.node.unplug(Cause::Unbind)); // The registers are unmapped here, when no operation uses them any more.
    }
}

kernel::module_platform_driver! {
    type: Driver,
    name: "vin",
    authors: ["fops"],
    description: "a V4L2 capture driver that may be unplugged at any time",
    license: "GPL",
}
