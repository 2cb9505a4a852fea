// SPDX-License-Identifier: GPL-2.0
//! The device: what dies at unplug (its hardware), what outlives it (the queue, the format), and its operations.
//!
//! Each operation opens a section. After unplug has begun it answers `ENODEV`, and unplug waits for those in flight.
use crate::board::InterruptHandler;
use crate::hw::Hw;
use crate::sensor::{LARGEST, Sensor};
use crate::v4l2::{
    Format, Queue, Subdev, V4l2CtrlOps, V4l2FileOperations, V4l2FormatOps, V4l2QueueOps, V4l2SubdevOps, until_unplug,
};
use fops_runtime::{Access, Cause, DeviceLifetime, PollEvents, guarded_fops};
use kernel::device::Core;
use kernel::prelude::*;
use kernel::sync::{Arc, Mutex};
use kernel::{new_mutex, platform};

#[pin_data]
pub(crate) struct Vin {
    lifetime: DeviceLifetime<Hw>,
    pub(crate) sensor: Subdev<Sensor>,
    queue: Queue,
    #[pin]
    format: Mutex<Format>,
    /// How many files are open.
    #[pin]
    opens: Mutex<u32>,
}

#[guarded_fops(lifetime = lifetime, unplug(stop = quiesce, wake = wake, subdevs(sensor = Subdev<Sensor>)))]
impl V4l2FileOperations for Vin {
    /// The first file turns the power on.
    fn open(&self, #[access] hw: &Access<'_, Hw>) -> Result {
        let mut opens = self.opens.lock();
        if *opens == 0 {
            hw.arm(|| hw.power(true))?;
        }
        *opens += 1;
        Ok(())
    }

    /// The last one turns it off, if it is there.
    fn release(&self, #[access] hw: Option<&Access<'_, Hw>>) {
        let mut opens = self.opens.lock();
        *opens -= 1;
        if let (0, Some(hw)) = (*opens, hw) {
            hw.power(false);
        }
    }

    fn read(&self, #[access] hw: &Access<'_, Hw>, core: impl FnOnce() -> Result<isize>) -> Result<isize> {
        until_unplug(hw, core)
    }

    fn poll(&self, #[access] _hw: &Hw, core: impl FnOnce() -> PollEvents) -> PollEvents {
        core()
    }

    fn mmap(&self, #[access] _hw: &Hw, core: impl FnOnce() -> Result) -> Result {
        core()
    }

    /// All ioctls, those that sleep too: DQBUF, DQEVENT.
    fn unlocked_ioctl(&self, #[access] hw: &Access<'_, Hw>, core: impl FnOnce() -> Result<isize>) -> Result<isize> {
        until_unplug(hw, core)
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl V4l2FormatOps for Vin {
    fn try_fmt(&self, #[access] hw: &Hw, format: Format) -> Result<Format> {
        hw.check()?;
        Ok(Format::new(format.width, format.height))
    }

    fn get_fmt(&self, #[access] hw: &Hw) -> Result<Format> {
        hw.check()?;
        Ok(*self.format.lock())
    }

    fn set_fmt(&self, #[access] _hw: &Hw, format: Format) -> Result<Format> {
        if self.queue.is_busy() {
            return Err(EBUSY);
        }
        let format = self.sensor.set_fmt(format)?;
        *self.format.lock() = format;
        Ok(format)
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl V4l2CtrlOps for Vin {
    fn set_brightness(&self, #[access] hw: &Hw, value: i32) -> Result {
        hw.set_brightness(value as u32)
    }
}

/// What videobuf2 calls, in sections of other operations or, when a file is closed, without one.
#[guarded_fops(lifetime = lifetime, default = guarded)]
impl V4l2QueueOps for Vin {
    #[fop(unguarded, reason = "the queue outlives the hardware")]
    fn queue(&self) -> &Queue {
        &self.queue
    }

    #[fop(unguarded, reason = "the format outlives the hardware")]
    fn frame_size(&self) -> u32 {
        self.format.lock().size()
    }

    /// No start after the stop hook: `arm` refuses it.
    fn start_streaming(&self, #[access] hw: &Access<'_, Hw>) -> Result {
        let length = self.format.lock().size();
        self.sensor.s_stream(true)?;
        hw.settle();
        hw.arm(|| {
            let address = self.queue.first().ok_or(EINVAL)?;
            hw.start(address, length);
            Ok(())
        })?
    }

    /// After unplug, the hardware has been stopped.
    #[fop(always)]
    fn stop_streaming(&self, #[access] hw: Option<&Access<'_, Hw>>) {
        if let Some(hw) = hw {
            hw.stop();
            let _ = self.sensor.s_stream(false); // If it fails, its stop hook has done so.
        }
    }
}

#[guarded_fops(lifetime = lifetime, default = guarded)]
impl InterruptHandler for Vin {
    /// A frame is complete. An interrupt that comes after unplug finds no hardware.
    #[fop(unplugged = ())]
    fn interrupt(&self, #[access] hw: &Hw) {
        if let Some(next) = self.queue.complete(hw.frames().wrapping_sub(1)) {
            hw.write_to(next);
        }
    }
}

impl Vin {
    pub(crate) fn new(pdev: &platform::Device<Core<'_>>) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                lifetime: DeviceLifetime::new(Hw::map()?),
                sensor: Subdev::new(Sensor::new()?)?,
                queue: Queue::new(pdev)?,
                format <- new_mutex!(LARGEST),
                opens <- new_mutex!(0),
            }? Error),
            GFP_KERNEL,
        )
    }

    /// The stop hook: the hardware writes no memory from here on.
    fn quiesce(&self, hw: &Hw, _cause: Cause) {
        hw.stop();
        hw.power(false);
    }

    /// The wake hook: for pollers, which are in no section, and for what waits for a frame.
    fn wake(&self, _hw: &Hw) {
        self.queue.fail();
    }
}
