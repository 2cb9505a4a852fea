//! Capturing: the registers, the three hardware slots, the interrupt, and how the hardware is stopped. After
//! `rcar-dma.c`.
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::format::PixelFormat;
use crate::driver::platform::IrqReturn;
use crate::driver::registers::sensor::*;
use crate::driver::registers::vin::*;
use crate::driver::v4l2::Settings;
use crate::uapi::{Event, Timestamp, V4L2_EVENT_FRAME_SYNC, V4L2_EVENT_SOURCE_CHANGE, V4L2_EVENT_SRC_CH_RESOLUTION};
use crate::vb2::{Completion, Queue};
use fops_runtime::op::op;
use fops_runtime::{Access, Cause, Errno, Request, Result, SubdevOperations as _, WaitError};
use parking_lot::MutexGuard;
use std::thread;
use std::time::Duration;

/// How long unplug leaves the hardware to finish the frame it is in, before it resets it: looked at every 5 ms.
const STOP_TRIES: u32 = 20;
const STOP_PAUSE: Duration = Duration::from_millis(5);

/// What the interrupt handler and the ioctls share.
pub(crate) struct Capture {
    pub(crate) queue: Queue,
    pub(crate) dma: Dma,
}

/// The hardware's side of a stream.
#[derive(Default)]
pub(crate) struct Dma {
    slots: [Slot; HW_BUFFER_NUM],
    state: State,
    sequence: u32,
    /// Bytes of a picture.
    sizeimage: u32,
    /// The stream is on, and the hardware is stopped until the device is resumed.
    is_halted: bool,
}

/// What the hardware does, as far as the driver has told it.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Stopped,
    Running,
    /// Told to stop, and may still be in a frame.
    Stopping,
}

/// Where the hardware writes a frame to.
#[derive(Clone, Copy, Default)]
enum Slot {
    #[default]
    Empty,
    Scratch,
    Buffer(usize),
}

impl Capture {
    pub(crate) fn new(memory: u64) -> Self {
        Self { queue: Queue::new(memory), dma: Dma::default() }
    }
}

impl Dma {
    /// `rvin_start_streaming`. Slots that `queue` has no buffer for get the scratch buffer.
    ///
    /// Nothing is started behind the back of `quiesce`: see [`Access::arm`].
    pub(crate) fn start(&mut self, hw: &Access<'_, VinHw>, queue: &mut Queue, settings: &Settings) -> Result {
        hw.arm(|| self.start_hardware(hw, queue, settings))?
    }

    fn start_hardware(&mut self, hw: &VinHw, queue: &mut Queue, settings: &Settings) -> Result {
        settings.check_pipeline(hw)?;
        *self = Self { sizeimage: settings.sizeimage(), ..Self::default() };
        for slot in 0..HW_BUFFER_NUM {
            self.fill_slot(hw, queue, slot)?;
        }
        hw.csi2.s_stream(true)?;
        setup(hw, settings).inspect_err(|_| release_receiver(hw))?;
        hw.port.mmio.write(VNFC_REG, VNFC_C_FRAME);
        self.state = State::Running;
        Ok(())
    }

    /// Tells the hardware to write no further frame.
    fn begin_stop(&mut self, hw: &VinHw) {
        hw.port.mmio.write(VNFC_REG, 0);
        hw.port.mmio.write(VNMC_REG, hw.port.mmio.read(VNMC_REG) & !VNMC_ME);
        self.state = State::Stopping;
    }

    /// Told to stop by a STREAMOFF, which may wait for that still, or have got a signal.
    pub(crate) fn is_stopping(&self) -> bool {
        self.state == State::Stopping
    }

    /// The hardware writes no more.
    fn end_stop(&mut self, hw: &VinHw) {
        hw.port.mmio.write(VNIE_REG, 0);
        release_receiver(hw);
        self.state = State::Stopped;
        self.slots = Default::default();
    }

    /// `rvin_fill_hw_slot`: gives the hardware the next buffer, or the scratch buffer where none is queued.
    fn fill_slot(&mut self, hw: &VinHw, queue: &mut Queue, slot: usize) -> Result {
        let address = match queue.next_active() {
            Some(index) => {
                self.slots[slot] = Slot::Buffer(index);
                let offset = u32::try_from(queue.span(index)?.offset).map_err(|_| Errno::EINVAL)?;
                hw.buffers.address() + offset
            }
            None => {
                self.slots[slot] = Slot::Scratch;
                hw.scratch.address()
            }
        };
        if address & HW_BUFFER_MASK != 0 {
            return Err(Errno::EINVAL);
        }
        hw.port.mmio.write(VNMB_REG(slot), address);
        Ok(())
    }

    /// A frame is complete in `slot`. Whether a buffer is done.
    fn frame_end(&mut self, hw: &VinHw, queue: &mut Queue, slot: usize) -> bool {
        let taken = std::mem::take(&mut self.slots[slot]);
        if let Slot::Buffer(index) = taken {
            queue.buffer_done(index, Completion::frame(self.sequence, now(), self.sizeimage));
        }
        self.sequence = self.sequence.wrapping_add(1);
        if let Err(errno) = self.fill_slot(hw, queue, slot) {
            tracing::error!("slot {slot} stays empty: {errno}");
        }
        matches!(taken, Slot::Buffer(_))
    }
}

impl RcarVin {
    /// `rvin_irq`. The interrupt outlives unplug until remove frees it, so it is a section like any other.
    pub(crate) fn irq(&self) -> IrqReturn {
        // It must not sleep: while the device is paused, it is somebody else's.
        let entered = Request::nonblocking(|| self.lifetime.enter(op!("rvin_irq")));
        let Ok(hw) = entered else { return IrqReturn::None };
        let status = hw.port.mmio.read(VNINTS_REG);
        if status == 0 || status == u32::MAX && self.check_there(&hw).is_err() {
            return IrqReturn::None;
        }
        hw.port.mmio.write(VNINTS_REG, status);
        let mut capture = self.capture.lock();
        let Capture { queue, dma } = &mut *capture;
        // Nothing to do if capture status is 'STOPPED'.
        if dma.state == State::Stopped {
            return IrqReturn::Handled;
        }
        let (begun, ended) = (status & VNINTS_VFS != 0, status & VNINTS_EFS != 0);
        let sequence = dma.sequence;
        let slot = ((hw.port.mmio.read(VNMS_REG) & VNMS_FBS_MASK) >> VNMS_FBS_SHIFT) as usize;
        // To hand buffers back in a known order to userspace start to capture first from slot 0.
        let in_order = slot < HW_BUFFER_NUM && (dma.sequence > 0 || slot == 0);
        let done = ended && in_order && dma.frame_end(&hw, queue, slot);
        let stopping = dma.is_stopping();
        drop(capture);
        // A frame that ends and the next that begins may share an interrupt.
        if begun {
            self.listeners.queue(&Event::now(V4L2_EVENT_FRAME_SYNC, 0, &sequence), None);
        }
        if done {
            self.done.wake_all();
        }
        if ended && stopping {
            self.stopped.wake_all();
        }
        IrqReturn::Handled
    }

    /// The sensor has something to say: what it sees has another size. `rvin_notify`.
    pub(crate) fn sensor_irq(&self) -> IrqReturn {
        let entered = Request::nonblocking(|| self.lifetime.enter(op!("sensor_irq")));
        let Ok(hw) = entered else { return IrqReturn::None };
        match hw.port.sensor.read(SENSOR_STATUS_REG) {
            Ok(status) if status & SENSOR_STATUS_CHANGED != 0 => {
                // Should the sensor be gone by now, there is nothing to acknowledge.
                let _ = hw.port.sensor.write(SENSOR_STATUS_REG, SENSOR_STATUS_CHANGED);
                let change = Event::now(V4L2_EVENT_SOURCE_CHANGE, 0, &V4L2_EVENT_SRC_CH_RESOLUTION);
                self.listeners.queue(&change, None);
                IrqReturn::Handled
            }
            _ => IrqReturn::None,
        }
    }

    /// `rvin_stop_streaming`: returns when the hardware writes no more and the buffers are user space's, having slept for
    /// up to a frame without `capture`. A frame may take minutes, so there is no limit but unplug and signals.
    ///
    /// No other lock is held: `quiesce` needs them. Wake `done` afterwards.
    ///
    /// # Errors
    /// [`WaitError::Unplugged`]: `quiesce` stops the hardware. [`WaitError::Interrupted`]: it has been told to stop, and
    /// the next caller waits for it.
    pub(crate) fn stop_streaming(
        &self,
        hw: &Access<'_, VinHw>,
        capture: &mut MutexGuard<'_, Capture>,
    ) -> Result<(), WaitError> {
        if capture.dma.state != State::Stopped {
            capture.dma.begin_stop(hw);
            // The end of the frame wakes, by its interrupt.
            let stopped = |capture: &mut Capture| (!capture.dma.is_stopping() || has_stopped(hw)).then_some(());
            hw.wait_event_locked(&self.stopped, capture, stopped)?;
            // Of two who wait, one ends it; by the time that the other looks, the stream may be on again.
            if !capture.dma.is_stopping() {
                return Ok(());
            }
            capture.dma.end_stop(hw);
            self.stopped.wake_all();
        }
        capture.queue.cancel();
        Ok(())
    }

    /// The stop hook of unplug: the hardware stops, if it is there, and nothing is waited for in vain.
    ///
    /// A STREAMOFF that was waiting for that is told `ENODEV` and leaves it to this one.
    pub(crate) fn quiesce(&self, hw: &VinHw, cause: Cause) {
        // A STREAMON in flight finishes first; those who sleep hold no lock.
        let settings = self.settings.lock();
        let mut capture = self.capture.lock();
        match capture.dma.state {
            State::Stopped => {}
            _ if cause.hardware_present() => self.stop_now(hw, &mut capture),
            // The receiver is there, and feeds others.
            _ => release_receiver(hw),
        }
        capture.dma.state = State::Stopped;
        // Operations that are inside get the same answer as those that come later.
        capture.queue.set_error(Errno::ENODEV);
        drop((capture, settings));
        self.done.wake_all();
    }

    /// Stops the hardware when its interrupts do not get through any more: asks it, and does not wait for a slow frame.
    ///
    /// `settings` are locked: of a release and `quiesce`, the second finds it stopped, and does not touch it.
    pub(crate) fn stop_now(&self, hw: &VinHw, capture: &mut MutexGuard<'_, Capture>) {
        if capture.dma.state == State::Stopped {
            return;
        }
        capture.dma.begin_stop(hw);
        self.wait_or_reset(hw, capture);
        capture.dma.end_stop(hw);
    }

    /// Returns when the hardware, which is told to stop, writes no more.
    fn wait_or_reset(&self, hw: &VinHw, capture: &mut MutexGuard<'_, Capture>) {
        for _ in 0..STOP_TRIES {
            if has_stopped(hw) {
                break;
            }
            // An interrupt handler that came before the flag wants it.
            MutexGuard::unlocked(capture, || thread::sleep(STOP_PAUSE));
        }
        // Whoever is told to stop may be gone.
        let there = self.check_there(hw).is_ok();
        if there && !has_stopped(hw) {
            tracing::warn!("{}: still in a frame, which is lost: resetting", self.device.name());
            hw.port.reset.reset();
        }
    }

    /// Stops the hardware of a device that is paused, until [`go_on`](Self::go_on). Whether it was running.
    pub(crate) fn halt(&self, hw: &VinHw) -> bool {
        let _settings = self.settings.lock();
        let mut capture = self.capture.lock();
        match capture.dma.state {
            State::Stopped => false,
            // A STREAMOFF sleeps until it has stopped, and does the rest.
            State::Stopping => {
                self.wait_or_reset(hw, &mut capture);
                false
            }
            State::Running => {
                self.stop_now(hw, &mut capture);
                capture.queue.take_back();
                capture.dma.is_halted = true;
                true
            }
        }
    }

    /// Starts the hardware of a device that is paused, if [`halt`](Self::halt) has stopped it. The numbers of the frames go
    /// on.
    ///
    /// # Errors
    /// As STREAMON. Then the stream has failed, and its sleepers are told `EIO`.
    pub(crate) fn go_on(&self, hw: &Access<'_, VinHw>) -> Result {
        let settings = self.settings.lock();
        let Capture { queue, dma } = &mut *self.capture.lock();
        if !std::mem::take(&mut dma.is_halted) {
            return Ok(());
        }
        let sequence = dma.sequence;
        let result = self.start_streaming(hw, dma, queue, &settings);
        dma.sequence = sequence;
        if result.is_err() {
            queue.take_back();
            queue.set_error(Errno::EIO);
        }
        result
    }
}

/// The receiver has one stream less.
fn release_receiver(hw: &VinHw) {
    if let Err(errno) = hw.csi2.s_stream(false) {
        // It is on its way out as well.
        tracing::debug!("{}: {errno}", hw.csi2.name());
    }
}

/// Selects the virtual channel of the receiver that is captured.
pub(crate) fn select_channel(hw: &VinHw, channel: u32) {
    let channel = channel & VNCSI_IFMD_CSI_CHSEL_MASK;
    hw.port.mmio.write(VNCSI_IFMD_REG, VNCSI_IFMD_DES1 | VNCSI_IFMD_DES0 | channel);
}

/// Whether the hardware is in no frame. All ones: it is gone, and will not write either.
fn has_stopped(hw: &VinHw) -> bool {
    let status = hw.port.mmio.read(VNMS_REG);
    status & VNMS_CA == 0 || status == u32::MAX
}

/// `rvin_setup`: what the picture is, and where in the sensor's frame.
fn setup(hw: &VinHw, settings: &Settings) -> Result {
    let (crop, frame) = (settings.crop(), settings.frame());
    hw.port.sensor.write(SENSOR_X_OUTPUT_REG, frame.0 as u16)?;
    hw.port.sensor.write(SENSOR_Y_OUTPUT_REG, frame.1 as u16)?;
    let (width, height) = settings.size();
    let format = settings.format();
    let mmio = &hw.port.mmio;
    let (left, top) = (crop.left.unsigned_abs(), crop.top.unsigned_abs());
    mmio.write(VNSPPRC_REG, left);
    mmio.write(VNEPPRC_REG, left + width - 1);
    mmio.write(VNSLPRC_REG, top);
    mmio.write(VNELPRC_REG, top + height - 1);
    mmio.write(VNIS_REG, format.bytesperline(width) / format.bytes_per_pixel());
    if format.is_semi_planar() {
        mmio.write(VNUVAOF_REG, format.uv_offset(width, height));
    }
    let layout = match format {
        PixelFormat::Uyvy | PixelFormat::Rgb565 => 0,
        PixelFormat::Yuyv => VNDMR_BPSM,
        PixelFormat::Nv16 => VNDMR_DTMD_YCSEP,
        PixelFormat::Nv12 => VNDMR_DTMD_YCSEP_420,
        PixelFormat::Grey => VNDMR_DTMD_YCSEP | VNDMR_YMODE_Y8,
        PixelFormat::Xbgr32 => VNDMR_EXRGB,
    };
    mmio.write(VNDMR_REG, layout);
    mmio.write(VNDMR2_REG, VNDMR2_FTEV | VNDMR2_VLV(1));
    // Acknowledge what is left from before, then listen to the start and the end of frames.
    mmio.write(VNINTS_REG, u32::MAX);
    mmio.write(VNIE_REG, VNIE_EFE | VNIE_VFE);
    // The sensor sends YCbCr: bypass the conversion, or have it make RGB.
    let input = VNMC_INF_YUV16 | if format.is_yuv() { VNMC_BPS } else { 0 };
    mmio.write(VNMC_REG, input | VNMC_IM_ODD_EVEN | VNMC_VUP | VNMC_ME);
    Ok(())
}

/// `ktime_get_ns`, as buffers carry it.
fn now() -> Timestamp {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Timestamp { sec: now.tv_sec, usec: now.tv_nsec / 1000 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::client::Stream;
    use crate::app::machine::Machine;
    use crate::deadline::{DEADLINE, eventually};
    use crate::driver::group::RvinGroup;
    use fops_runtime::{OpenFlags, PollEvents};

    #[test]
    fn a_release_behind_the_stop_hook_finds_it_stopped() {
        let vins = ["e6ef0000.video", "e6ef1000.video"];
        let group = RvinGroup::new();
        let machine = Machine::with_group(&vins, group.clone()).unwrap();
        let stream = |name| Stream::start(machine.devices.open(name, OpenFlags::RDWR).unwrap(), 5).unwrap();
        let [stream, other] = ["video0", "video1"].map(stream);
        let vin = group.vin(0).unwrap();
        let hw = vin.lifetime.enter(op!("test")).unwrap();
        let registers = || [VNMC_REG, VNIS_REG].map(|register| hw.port.mmio.read(register));
        let [control, stride] = registers();
        // The release has entered before the flag, and comes to the lock after the hook.
        vin.quiesce(&hw, Cause::Unbind);
        assert_eq!(registers(), [control & !VNMC_ME, stride], "off, and not reset: it has stopped in time");
        drop(hw);
        drop(stream);
        for _ in 0..10 {
            assert_eq!(other.poll(Some(DEADLINE)), Ok(PollEvents::IN), "the receiver was turned off");
            other.queue(other.dequeue().unwrap().index).unwrap();
        }
    }

    #[test]
    fn an_interrupt_of_the_sensor_is_for_us_only_if_the_sensor_says_so() {
        let group = RvinGroup::new();
        let machine = Machine::with_group(&["e6ef0000.video"], group.clone()).unwrap();
        let vin = group.vin(0).unwrap();
        assert_eq!(vin.sensor_irq(), IrqReturn::None);
        let board = machine.board.vin("e6ef0000.video").unwrap();
        let unhandled = board.unhandled_interrupts();
        board.set_sensor_resolution(320, 240);
        assert_eq!((board.unhandled_interrupts(), vin.sensor_irq()), (unhandled, IrqReturn::None), "acknowledged");
    }

    #[test]
    fn a_start_behind_the_stop_hook_is_refused() {
        let vins = ["e6ef0000.video"];
        let group = RvinGroup::new();
        let machine = Machine::with_group(&vins, group.clone()).unwrap();
        let stream = Stream::start(machine.devices.open("video0", OpenFlags::RDWR).unwrap(), 5).unwrap();
        let vin = group.vin(0).unwrap();
        // A STREAMON that has entered before the flag, and comes to the locks after the hook.
        let access = vin.lifetime.enter(op!("late")).unwrap();
        let removal = machine.bus.remove(vins[0], Cause::Unbind).unwrap();
        eventually("the hook has run", || vin.capture.lock().dma.state == State::Stopped);
        let started = {
            let settings = vin.settings.lock();
            let Capture { queue, dma } = &mut *vin.capture.lock();
            dma.start(&access, queue, &settings)
        };
        assert_eq!(started, Err(Errno::ENODEV));
        drop(access);
        removal.wait_for(DEADLINE).unwrap().expect("it goes in time");
        drop(stream);
        assert_eq!(machine.faults(), Vec::<String>::new());
    }
}
