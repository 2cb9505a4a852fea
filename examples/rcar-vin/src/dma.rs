//! Capturing: the registers, the three hardware slots, the interrupt. After `rcar-dma.c`.
use crate::core::{RcarVin, VinHw};
use crate::format::PixelFormat;
use crate::queue::{Completion, Queue};
use crate::regs::*;
use crate::sim::IrqReturn;
use crate::uapi::Timestamp;
use crate::v4l2::Settings;
use fops_runtime::{Access, Cause, Errno, Result, SubdevOperations as _, op};
use std::thread;
use std::time::Duration;

/// How long the hardware may take to finish the frame it is in: a second, looked at every 10 ms.
const STOP_TRIES: u32 = 100;
const STOP_PAUSE: Duration = Duration::from_millis(10);

/// What the interrupt handler and the ioctls share.
pub(crate) struct Capture {
    pub(crate) queue: Queue,
    pub(crate) dma: Dma,
}

/// The hardware's side of a stream.
#[derive(Default)]
pub(crate) struct Dma {
    slots: [Slot; HW_BUFFER_NUM],
    running: bool,
    sequence: u32,
    /// Bytes of a picture.
    sizeimage: u32,
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
    /// Starts the hardware. The queue says when; `queue` has at least a buffer for each slot.
    ///
    /// `settings` are locked. So either `quiesce` comes later and stops what is started here, or it has been, the
    /// flag is set, and nothing is started behind its back.
    fn start(&mut self, hw: &Access<'_, VinHw>, queue: &mut Queue, settings: &Settings) -> Result {
        if hw.is_unplugging() {
            return Err(Errno::ENODEV);
        }
        *self = Self { sizeimage: settings.sizeimage(), ..Self::default() };
        for slot in 0..HW_BUFFER_NUM {
            self.fill_slot(hw, queue, slot)?;
        }
        hw.csi2.s_stream(true)?;
        setup(hw, settings);
        hw.mmio.write(VNFC_REG, VNFC_C_FRAME);
        self.running = true;
        Ok(())
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
        hw.mmio.write(VNMB_REG(slot), address);
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
        let Ok(hw) = self.lifetime.enter(op!("rvin_irq")) else { return IrqReturn::None };
        let status = hw.mmio.read(VNINTS_REG);
        if status == 0 || status == u32::MAX && self.check_there(&hw).is_err() {
            return IrqReturn::None;
        }
        hw.mmio.write(VNINTS_REG, status);
        if status & VNINTS_EFS == 0 {
            return IrqReturn::Handled;
        }
        let mut capture = self.capture.lock();
        let Capture { queue, dma } = &mut *capture;
        // Nothing to do if capture status is 'STOPPED'.
        if !dma.running {
            return IrqReturn::Handled;
        }
        let slot = ((hw.mmio.read(VNMS_REG) & VNMS_FBS_MASK) >> VNMS_FBS_SHIFT) as usize;
        // To hand buffers back in a known order to userspace start to capture first from slot 0.
        if slot >= HW_BUFFER_NUM || (dma.sequence == 0 && slot != 0) {
            return IrqReturn::Handled;
        }
        let done = dma.frame_end(&hw, queue, slot);
        drop(capture);
        if done {
            self.done.wake_all();
        }
        IrqReturn::Handled
    }

    /// `rvin_start_streaming`: captures what is linked to this VIN.
    ///
    /// # Errors
    /// `EPIPE` where nothing is.
    pub(crate) fn start_streaming(
        &self,
        hw: &Access<'_, VinHw>,
        dma: &mut Dma,
        queue: &mut Queue,
        settings: &Settings,
    ) -> Result {
        self.check_there(hw)?;
        let channel = self.routes.get(self.channel).ok_or(Errno::EPIPE)?;
        select_channel(hw, channel);
        dma.start(hw, queue, settings)
    }

    /// `rvin_stop_streaming`: returns when the hardware writes no more. Sleeps for up to a frame.
    ///
    /// Call with `settings` locked and `capture` not: the interrupts that come meanwhile need it.
    ///
    /// # Errors
    /// `ENODEV` when the hardware is gone: it writes no more either.
    pub(crate) fn stop_streaming(&self, hw: &VinHw) -> Result {
        let mut stopped = false;
        for _ in 0..STOP_TRIES {
            hw.mmio.write(VNFC_REG, 0);
            hw.mmio.write(VNMC_REG, hw.mmio.read(VNMC_REG) & !VNMC_ME);
            let status = hw.mmio.read(VNMS_REG);
            // What is gone will not write either.
            if status == u32::MAX
                && let Err(errno) = self.check_there(hw)
            {
                self.capture.lock().dma = Dma::default();
                self.stop_receiver(hw);
                return Err(errno);
            }
            stopped = status & VNMS_CA == 0;
            if stopped {
                break;
            }
            thread::sleep(STOP_PAUSE);
        }
        if !stopped {
            tracing::error!("{}: the hardware does not stop", self.device.name());
        }
        let mut capture = self.capture.lock();
        capture.dma.running = false;
        capture.dma.slots = Default::default();
        hw.mmio.write(VNIE_REG, 0);
        drop(capture);
        self.stop_receiver(hw);
        Ok(())
    }

    /// The receiver counts its streams: it is told, even if the VIN's own hardware is gone.
    fn stop_receiver(&self, hw: &VinHw) {
        if let Err(errno) = hw.csi2.s_stream(false) {
            // It is on its way out as well.
            tracing::debug!("{}: the receiver: {errno}", self.device.name());
        }
    }

    /// The stop hook of unplug: the hardware stops, if it is there, and nothing is waited for in vain.
    pub(crate) fn quiesce(&self, hw: &VinHw, cause: Cause) {
        // A STREAMON or STREAMOFF in flight finishes first; those who sleep hold no lock.
        let settings = self.settings.lock();
        let running = self.capture.lock().dma.running;
        match cause.hardware_present() {
            true if running => {
                if let Err(errno) = self.stop_streaming(hw) {
                    tracing::info!("{}: gone before it was stopped: {errno}", self.device.name());
                }
            }
            false if running => self.stop_receiver(hw),
            _ => {}
        }
        let mut capture = self.capture.lock();
        capture.dma.running = false;
        // Operations that are inside get the same answer as those that come later.
        capture.queue.set_error(Errno::ENODEV);
        drop((capture, settings));
        self.done.wake_all();
    }
}

/// Selects the virtual channel of the receiver that is captured.
pub(crate) fn select_channel(hw: &VinHw, channel: u32) {
    let channel = channel & VNCSI_IFMD_CSI_CHSEL_MASK;
    hw.mmio.write(VNCSI_IFMD_REG, VNCSI_IFMD_DES1 | VNCSI_IFMD_DES0 | channel);
}

/// `rvin_setup`: what the picture is, and where in the sensor's frame.
fn setup(hw: &VinHw, settings: &Settings) {
    let (width, height) = settings.size();
    let format = settings.format();
    let mmio = &hw.mmio;
    // The whole of the sensor's frame, from its first line and pixel.
    mmio.write(VNSPPRC_REG, 0);
    mmio.write(VNEPPRC_REG, width - 1);
    mmio.write(VNSLPRC_REG, 0);
    mmio.write(VNELPRC_REG, height - 1);
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
}

/// `ktime_get_ns`, as buffers carry it.
fn now() -> Timestamp {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Timestamp { sec: now.tv_sec, usec: now.tv_nsec / 1000 }
}
