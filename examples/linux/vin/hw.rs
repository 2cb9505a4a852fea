// SPDX-License-Identifier: GPL-2.0
//! The hardware of the VIN and of its sensor: what dies at unplug.
use crate::board::Registers;
use crate::v4l2::{DmaAddress, Format};
use kernel::prelude::*;
use kernel::time::{Delta, delay::fsleep};

const ID: usize = 0x00;
const CONTROL: usize = 0x04;
const STATUS: usize = 0x08;
const FRAMES: usize = 0x0c;
const ADDRESS: usize = 0x10;
const LENGTH: usize = 0x14;
const BRIGHTNESS: usize = 0x18;
const POWER: usize = 0x1c;

const VIN: u32 = 0x5649_4e31;
const RUN: u32 = 1;
const BUSY: u32 = 1;

/// The VIN.
pub(crate) struct Hw(Registers<0>);

impl Hw {
    pub(crate) fn map() -> Result<Self> {
        let hw = Self(Registers::map()?);
        hw.check()?;
        Ok(hw)
    }

    /// Whether it is there.
    pub(crate) fn check(&self) -> Result {
        if self.0.read(ID) == VIN { Ok(()) } else { Err(ENXIO) }
    }

    pub(crate) fn power(&self, on: bool) {
        self.0.write(POWER, on.into());
    }

    /// Sleeps: the hardware takes its time, the longer the brighter.
    pub(crate) fn set_brightness(&self, value: u32) -> Result {
        self.0.write(BRIGHTNESS, value);
        fsleep(Delta::from_millis(20 + i64::from(value)));
        if self.0.read(BRIGHTNESS) == value { Ok(()) } else { Err(EIO) }
    }

    /// How many frames it has written since it was started.
    pub(crate) fn frames(&self) -> u32 {
        self.0.read(FRAMES)
    }

    /// Frames go to `address` from now on.
    pub(crate) fn write_to(&self, address: DmaAddress) {
        // It reaches 32 bits, as the board says to the DMA layer.
        self.0.write(ADDRESS, address.get() as u32);
    }

    /// Until what the sensor sends is a picture.
    pub(crate) fn settle(&self) {
        fsleep(Delta::from_millis(5));
    }

    pub(crate) fn start(&self, address: DmaAddress, length: u32) {
        self.write_to(address);
        self.0.write(LENGTH, length);
        self.0.write(FRAMES, 0);
        self.0.write(CONTROL, RUN);
    }

    /// When this returns, it writes no memory, and its interrupt is over.
    pub(crate) fn stop(&self) {
        self.0.write(CONTROL, 0);
        while self.0.read(STATUS) & BUSY != 0 {
            core::hint::spin_loop();
        }
    }
}

const SIZE: usize = 0x04;
const STREAM: usize = 0x08;

const SENSOR: u32 = 0x5345_4e31;

/// The sensor.
pub(crate) struct SensorHw(Registers<1>);

impl SensorHw {
    pub(crate) fn map() -> Result<Self> {
        let hw = Self(Registers::map()?);
        if hw.0.read(ID) != SENSOR {
            return Err(ENXIO);
        }
        Ok(hw)
    }

    pub(crate) fn format(&self) -> Format {
        let size = self.0.read(SIZE);
        Format::new(size >> 16, size & 0xffff)
    }

    pub(crate) fn set_format(&self, format: Format) {
        self.0.write(SIZE, format.width << 16 | format.height);
    }

    /// Before it can stream.
    pub(crate) fn warm_up(&self) {
        fsleep(Delta::from_millis(5));
    }

    pub(crate) fn stream(&self, on: bool) {
        self.0.write(STREAM, on.into());
    }
}
