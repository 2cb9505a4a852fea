// SPDX-License-Identifier: GPL-2.0
//! The sensor in front of the VIN: a subdev. It has a lifetime of its own, and is unplugged together with the VIN.
use crate::hw::SensorHw;
use crate::v4l2::{Format, V4l2SubdevOps};
use fops_runtime::{Access, Cause, DeviceLifetime, guarded_fops};
use kernel::prelude::*;

pub(crate) const SMALLEST: Format = Format::new(32, 32);
pub(crate) const LARGEST: Format = Format::new(640, 480);

pub(crate) struct Sensor {
    lifetime: DeviceLifetime<SensorHw>,
}

#[guarded_fops(lifetime = lifetime, default = guarded, unplug(stop = quiesce))]
impl V4l2SubdevOps for Sensor {
    fn get_fmt(&self, #[access] hw: &SensorHw) -> Result<Format> {
        Ok(hw.format())
    }

    fn set_fmt(&self, #[access] hw: &SensorHw, format: Format) -> Result<Format> {
        let fits = |wanted: u32, smallest: u32, largest: u32| wanted.clamp(smallest, largest) & !1;
        let format = Format::new(
            fits(format.width, SMALLEST.width, LARGEST.width),
            fits(format.height, SMALLEST.height, LARGEST.height),
        );
        hw.set_format(format);
        Ok(format)
    }

    /// No start after the stop hook: `arm` refuses it.
    fn s_stream(&self, #[access] hw: &Access<'_, SensorHw>, enable: bool) -> Result {
        if enable {
            hw.warm_up();
            hw.arm(|| hw.stream(true))?;
        } else {
            hw.stream(false);
        }
        Ok(())
    }

    #[fop(always)]
    fn release(&self) {
        pr_info!("the sensor is released\n");
    }
}

impl Sensor {
    pub(crate) fn new() -> Result<Self> {
        let hw = SensorHw::map()?;
        hw.set_format(LARGEST);
        Ok(Self { lifetime: DeviceLifetime::new(hw) })
    }

    fn quiesce(&self, hw: &SensorHw, _cause: Cause) {
        hw.stream(false);
    }
}
