//! The simulated hardware: what a VIN driver finds on its board.
//!
//! It plays the hardware, and the kernel's part in reaching it. The driver imports it in
//! [`platform`](crate::driver::platform) alone.
//!
//! A [`Board`] owns the devices by name and outlives every bind and unbind of a driver. From it,
//! probe gets what it would get from the kernel: the registers ([`Vin::ioremap`]), the interrupt
//! ([`Vin::request_irq`]), addresses that the device can write to ([`Vin::dma_map`]), and the sensor
//! ([`Vin::sensor`]). Each is a guard; dropping the guard gives the thing back, and from then on the simulation catches whoever
//! still uses it: an access to unmapped registers, a transfer to unmapped memory, an interrupt
//! without a handler are counted and logged instead of corrupting memory, as they do in a kernel.

mod console;
mod csi2;
mod dma;
mod engine;
mod io;
mod irq;
pub mod picture;
mod pixels;
mod registers;
mod sensor;
mod vin;

#[cfg(test)]
mod tests;

pub use self::console::Console;
pub use self::csi2::Csi2Receiver;
pub use self::dma::{DmaMapping, DmaMemory, HeapMemory};
pub use self::io::{IoPtr, Mmio};
pub use self::irq::{IrqGuard, IrqReturn};
pub use self::pixels::PixelFormat;
pub use self::registers::ResetControl;
pub use self::sensor::{I2cClient, I2cPtr, Nack};
pub use self::vin::Vin;

use std::fmt;
use std::thread::JoinHandle;

/// The name of the VIN on a [`Board::new`], as sysfs shows it.
pub const VIN_NAME: &str = "e6ef0000.video";

/// The resource is taken: a driver did not give it back, or two drivers want it.
///
/// The kernel answers `-EBUSY`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

impl fmt::Display for Busy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("resource is in use")
    }
}

impl std::error::Error for Busy {}

/// The board with its devices, each running on a thread of its own.
///
/// Dropping the board switches its devices off and waits for their threads, so it must not be
/// dropped by an interrupt handler that one of them is running.
pub struct Board {
    vins: Vec<(&'static str, Vin, Option<JoinHandle<()>>)>,
    csi2: Option<Csi2Receiver>,
}

impl Board {
    /// A board with one VIN, [`VIN_NAME`].
    pub fn new() -> Board {
        Board::with_vins(&[VIN_NAME])
    }

    /// A board with a VIN of each name.
    pub fn with_vins(names: &[&'static str]) -> Board {
        let power_on = |name: &&'static str| {
            let (vin, thread) = Vin::power_on(name);
            (*name, vin, Some(thread))
        };
        Board { vins: names.iter().map(power_on).collect(), csi2: None }
    }

    /// A board with a VIN of each name, all behind one CSI-2 receiver.
    pub fn with_group(vins: &[&'static str], csi2: &'static str) -> Board {
        let mut board = Board::with_vins(vins);
        let blocks = board.vins.iter().map(|(_, vin, _)| vin.block()).collect();
        board.csi2 = Some(Csi2Receiver::power_on(csi2, blocks));
        board
    }

    /// The CSI-2 receiver, where there is one.
    pub fn csi2(&self) -> Option<&Csi2Receiver> {
        self.csi2.as_ref()
    }

    /// The VIN called `name`. It is there whether a driver is bound to it or not.
    pub fn vin(&self, name: &str) -> Option<&Vin> {
        self.vins.iter().find(|(known, ..)| *known == name).map(|(_, vin, _)| vin)
    }

    /// The names of the VINs.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.vins.iter().map(|(name, ..)| *name)
    }
}

impl Default for Board {
    fn default() -> Board {
        Board::new()
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        for (_, vin, _) in &self.vins {
            vin.power_off();
        }
        for (name, _, thread) in &mut self.vins {
            if let Some(thread) = thread.take()
                && thread.join().is_err()
            {
                tracing::error!(device = name, "the simulated hardware had panicked");
            }
        }
    }
}
