// SPDX-License-Identifier: GPL-2.0
//! The VIN as most drivers are written: what open files use is freed by `unbind`. For comparison alone.
//!
//! Its state is counted, and it unregisters its node before it frees the hardware. That is not enough: the V4L2 core waits
//! for nobody, and always calls `release`.
#![allow(dead_code, unused_imports)] // Of what it shares with the guarded driver, it does not use all.
mod board;
mod hw;
mod v4l2;

use board::{Interrupt, InterruptHandler};
use fops_runtime::PollEvents;
use hw::{Hw, SensorHw};
use kernel::{
    device::Core,
    new_mutex, platform,
    prelude::*,
    sync::{Arc, Mutex},
};
use v4l2::{
    Format, Queue, Registration, Subdev, V4l2CtrlOps, V4l2FileOperations, V4l2FormatOps, V4l2QueueOps, V4l2SubdevOps,
};

/// Points to what `Bound` owns.
struct Unchecked<T>(*const T);

// SAFETY: none. Nothing keeps the hardware from being freed.
unsafe impl<T> Send for Unchecked<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Unchecked<T> {}

impl<T> core::ops::Deref for Unchecked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: none: this is the bug.
        unsafe { &*self.0 }
    }
}

struct Sensor {
    hw: Unchecked<SensorHw>,
}

impl V4l2SubdevOps for Sensor {
    fn get_fmt(&self) -> Result<Format> {
        Ok(self.hw.format())
    }

    fn set_fmt(&self, format: Format) -> Result<Format> {
        self.hw.set_format(format);
        Ok(format)
    }

    fn s_stream(&self, enable: bool) -> Result {
        if enable {
            self.hw.warm_up();
        }
        self.hw.stream(enable);
        Ok(())
    }

    fn release(&self) {
        pr_info!("the sensor is released\n");
    }
}

#[pin_data]
struct Vin {
    hw: Unchecked<Hw>,
    sensor: Subdev<Sensor>,
    queue: Queue,
    #[pin]
    format: Mutex<Format>,
    #[pin]
    opens: Mutex<u32>,
}

impl V4l2FileOperations for Vin {
    fn open(&self) -> Result {
        let mut opens = self.opens.lock();
        if *opens == 0 {
            self.hw.power(true);
        }
        *opens += 1;
        Ok(())
    }

    fn release(&self) {
        let mut opens = self.opens.lock();
        *opens -= 1;
        if *opens == 0 {
            self.hw.power(false);
        }
    }

    fn read(&self, core: impl FnOnce() -> Result<isize>) -> Result<isize> {
        core()
    }

    fn poll(&self, core: impl FnOnce() -> PollEvents) -> PollEvents {
        core()
    }

    fn mmap(&self, core: impl FnOnce() -> Result) -> Result {
        core()
    }

    fn unlocked_ioctl(&self, core: impl FnOnce() -> Result<isize>) -> Result<isize> {
        core()
    }
}

impl V4l2FormatOps for Vin {
    fn try_fmt(&self, format: Format) -> Result<Format> {
        self.hw.check()?;
        Ok(Format::new(format.width, format.height))
    }

    fn get_fmt(&self) -> Result<Format> {
        self.hw.check()?;
        Ok(*self.format.lock())
    }

    fn set_fmt(&self, format: Format) -> Result<Format> {
        if self.queue.is_busy() {
            return Err(EBUSY);
        }
        let format = self.sensor.set_fmt(Format::new(format.width, format.height))?;
        *self.format.lock() = format;
        Ok(format)
    }
}

impl V4l2CtrlOps for Vin {
    fn set_brightness(&self, value: i32) -> Result {
        self.hw.set_brightness(value as u32)
    }
}

impl V4l2QueueOps for Vin {
    fn queue(&self) -> &Queue {
        &self.queue
    }

    fn frame_size(&self) -> u32 {
        self.format.lock().size()
    }

    fn start_streaming(&self) -> Result {
        let length = self.format.lock().size();
        let address = self.queue.first().ok_or(EINVAL)?;
        self.sensor.s_stream(true)?;
        self.hw.settle();
        self.hw.start(address, length);
        Ok(())
    }

    fn stop_streaming(&self) {
        self.hw.stop();
        let _ = self.sensor.s_stream(false);
    }
}

impl InterruptHandler for Vin {
    fn interrupt(&self) {
        if let Some(next) = self.queue.complete(self.hw.frames().wrapping_sub(1)) {
            self.hw.write_to(next);
        }
    }
}

/// Dropped in this order.
struct Bound {
    _node: Registration<Vin>,
    _interrupt: Interrupt<Vin>,
    _hw: KBox<Hw>,
    _sensor: KBox<SensorHw>,
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
            let hw = KBox::new(Hw::map()?, GFP_KERNEL)?;
            let sensor = KBox::new(SensorHw::map()?, GFP_KERNEL)?;
            let (hw_now, sensor_now) = (Unchecked(&raw const *hw), Unchecked(&raw const *sensor));
            let vin = Arc::pin_init(
                try_pin_init!(Vin {
                    hw: hw_now,
                    sensor: Subdev::new(Sensor { hw: sensor_now })?,
                    queue: Queue::new(pdev)?,
                    format <- new_mutex!(Format::new(640, 480)),
                    opens <- new_mutex!(0),
                }? Error),
                GFP_KERNEL,
            )?;
            let interrupt = Interrupt::request(vin.clone())?;
            let node = Registration::new(pdev, c"vin", vin.clone())?;
            node.add_subdev(c"sensor", &vin.sensor)?;
            Ok(Bound { _node: node, _interrupt: interrupt, _hw: hw, _sensor: sensor })
        };
        bind()
    }
}

kernel::module_platform_driver! {
    type: Driver,
    name: "vin",
    authors: ["fops"],
    description: "a V4L2 capture driver that must not be unplugged while it is in use",
    license: "GPL",
}
