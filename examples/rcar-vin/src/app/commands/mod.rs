//! What the program can do.
pub(crate) mod client;
pub(crate) mod demo;
mod ending;
pub(crate) mod exec;
mod namespace;
pub(crate) mod ops;
pub(crate) mod serve;

use crate::Sensor;
use rcar_vin::driver::core::DEVICE;
use rcar_vin::machine::Machine;
use std::error::Error;
use std::process::ExitCode;

/// What a command comes to: an exit code, or an error to print in one line.
pub(crate) type Outcome = Result<ExitCode, Box<dyn Error>>;

/// The exit code for what kept a command from doing its job.
pub(crate) const FAILED: u8 = 125;

/// What is served: two VINs of one group.
const VINS: [&str; 2] = [DEVICE, "e6ef1000.video"];

/// A machine with these, their sensors set as asked for.
fn machine(sensor: &Sensor) -> Result<Machine, Box<dyn Error>> {
    let machine = Machine::new(&VINS)?;
    for vin in VINS.iter().filter_map(|name| machine.board.vin(name)) {
        vin.set_frame_rate(sensor.frame_rate);
        vin.set_stalled(sensor.stall);
    }
    Ok(machine)
}
