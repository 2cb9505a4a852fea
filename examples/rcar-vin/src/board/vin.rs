//! The VIN itself: a sensor that delivers frames, and the engine that writes them to memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Busy;
use super::console::Console;
use super::dma::{DmaMapping, DmaMemory, Iommu};
use super::io::{Mmio, Window};
use super::irq::{IrqGuard, IrqLine, IrqReturn};
use super::registers::{Block, ResetControl, State};
use super::sensor::{I2cClient, Image, Sensor};
use crate::board::picture::{Layout, Picture};
use crate::driver::format::PixelFormat;
use crate::driver::registers::vin::*;

const DEFAULT_FRAME_RATE: f64 = 30.0;
/// The longest side of a capture window; more than that is a register that was never set.
const WINDOW_MAX: u32 = 4096;

struct Hardware {
    name: &'static str,
    block: Arc<Block>,
    window: Arc<Window>,
    irq: Arc<IrqLine>,
    iommu: Arc<Iommu>,
    sensor: Arc<Sensor>,
    console: Console,
    frames: AtomicU64,
    dma_faults: AtomicU64,
}

/// A VIN on its board: what probe gets its resources from, and what a test manipulates.
///
/// A handle that may be cloned. It does not keep the hardware running: that ends with the
/// [`Board`](super::Board).
#[derive(Clone)]
pub struct Vin {
    hardware: Arc<Hardware>,
}

/// Resources, for probe. They stay valid in whatever order they are dropped; a driver that drops
/// the interrupt last will be interrupted while its registers are gone, and the counters show it.
impl Vin {
    /// Maps the registers (`devm_platform_ioremap_resource`). [`Busy`] while another mapping lives.
    pub fn ioremap(&self) -> Result<Mmio, Busy> {
        self.hardware.window.ioremap()
    }

    /// Requests the interrupt (`request_irq`). [`Busy`] while it is requested.
    ///
    /// `handler` runs on the hardware's thread, never twice at once. It must not sleep for long:
    /// the sensor waits for it. The line is level triggered per event: the handler runs at the
    /// start and at the end of a frame if an enabled bit of VNINTS is set by then.
    pub fn request_irq(&self, handler: impl Fn() -> IrqReturn + Send + Sync + 'static) -> Result<IrqGuard, Busy> {
        self.hardware.irq.request(handler)
    }

    /// Lets the device write to `length` bytes of `memory`, from `offset` on (`dma_map_single`).
    ///
    /// The address of the mapping is aligned to a page. [`None`] when there is no room left on the
    /// bus (`-ENOMEM`).
    pub fn dma_map(&self, memory: Arc<dyn DmaMemory>, offset: u64, length: u64) -> Option<DmaMapping> {
        self.hardware.iommu.map(memory, offset, length)
    }

    /// Makes the sensor a client of its bus (`i2c_new_client_device`). [`Busy`] while it is one.
    pub fn sensor(&self) -> Result<I2cClient, Busy> {
        self.hardware.sensor.client()
    }

    /// Requests the interrupt of the sensor, as [`request_irq`](Self::request_irq) does that of the VIN.
    pub fn request_sensor_irq(
        &self,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<IrqGuard, Busy> {
        self.hardware.sensor.request_irq(handler)
    }

    /// The reset line of the VIN (`devm_reset_control_get`).
    pub fn reset_control(&self) -> ResetControl {
        ResetControl::new(&self.hardware.block)
    }

    /// Where the log is printed.
    pub fn console(&self) -> Console {
        self.hardware.console.clone()
    }
}

/// What a person or a test does to the board.
impl Vin {
    /// The device name, as sysfs shows it.
    pub fn name(&self) -> &'static str {
        self.hardware.name
    }

    /// Sets the frame rate of the sensor, in frames a second; 30 to begin with.
    ///
    /// Takes effect with the next frame. Limited to what makes sense, a frame a minute to 10,000 a
    /// second.
    pub fn set_frame_rate(&self, rate: f64) {
        let rate = if rate.is_finite() { rate.clamp(1.0 / 60.0, 10_000.0) } else { DEFAULT_FRAME_RATE };
        let interval = Duration::from_secs_f64(1.0 / rate);
        self.hardware.block.change(|state| state.frame_interval = interval);
    }

    /// Makes the sensor stop delivering frames, or deliver them again.
    ///
    /// A frame that has begun is completed. VNMS.CA stays set while capturing is enabled, as in
    /// hardware that waits for a vertical sync, and drops as soon as capturing is disabled.
    pub fn set_stalled(&self, stalled: bool) {
        self.hardware.block.change(|state| state.stalled = stalled);
    }

    /// Gives the sensor another resolution, in pixels and lines, which are rounded down to multiples of 32 and 4. It
    /// says so by its interrupt; returns when the handler has run. A stream goes on as it was.
    pub fn set_sensor_resolution(&self, width: u32, height: u32) {
        self.hardware.sensor.set_array((width, height));
    }

    /// Makes the console take this long for a line; no time to begin with.
    pub fn set_console_line_time(&self, time: Duration) {
        self.hardware.console.set_line_time(time);
    }

    /// Takes the device out without a word: from here on reads are all ones and writes vanish, no
    /// frame and no interrupt comes. A frame on its way to memory is lost.
    pub fn surprise_remove(&self) {
        // The sensor last: where it does not answer, nothing does any more.
        self.hardware.block.change(State::remove);
        self.hardware.sensor.set_present(false);
    }

    /// Puts the device in again after [`surprise_remove`](Self::surprise_remove), its registers at
    /// their reset values.
    pub fn insert(&self) {
        self.hardware.sensor.set_present(true);
        self.hardware.block.change(|state| {
            if !state.present {
                state.insert();
            }
        });
    }

    /// Whether the device is in its place.
    pub fn is_present(&self) -> bool {
        self.hardware.block.lock().present
    }

    /// Whether it captures frames, or is still in one (VNMS.CA as the hardware has it).
    pub fn is_capturing(&self) -> bool {
        self.hardware.block.lock().get(VNMS_REG) & VNMS_CA != 0
    }

    /// Raises the interrupt line although nothing has happened, as another device on a shared line
    /// does. Returns when the handler has run.
    ///
    /// Not from within the handler itself.
    pub fn raise_irq(&self) {
        self.hardware.irq.raise();
    }

    /// Register accesses through a pointer that outlived `iounmap`, and those to the sensor through a handle that
    /// outlived its client. Always a bug of the driver.
    pub fn late_accesses(&self) -> u64 {
        self.hardware.window.late_accesses() + self.hardware.sensor.late_transfers()
    }

    /// Register accesses that found the device gone. Some are bound to happen, between the removal
    /// and the moment the driver learns of it.
    pub fn absent_accesses(&self) -> u64 {
        self.hardware.window.absent_accesses()
    }

    /// Transfers to addresses that were not, or no longer, mapped. Always a bug of the driver.
    pub fn dma_faults(&self) -> u64 {
        self.hardware.dma_faults.load(Ordering::Relaxed)
    }

    /// Mappings that the device has now; zero once a driver has gone.
    pub fn dma_mappings(&self) -> usize {
        self.hardware.iommu.mappings()
    }

    /// Frames written to memory since the board was switched on.
    pub fn frames(&self) -> u64 {
        self.hardware.frames.load(Ordering::Relaxed)
    }

    /// Interrupts that a handler has dealt with.
    pub fn interrupts(&self) -> u64 {
        self.hardware.irq.delivered()
    }

    /// Interrupts that found no handler, or whose handler said that they were not its own.
    pub fn unhandled_interrupts(&self) -> u64 {
        self.hardware.irq.unhandled()
    }

    pub(super) fn power_on(name: &'static str) -> (Vin, JoinHandle<()>) {
        let interval = Duration::from_secs_f64(1.0 / DEFAULT_FRAME_RATE);
        let block = Arc::new(Block::new(interval));
        let hardware = Arc::new(Hardware {
            name,
            window: Window::new(block.clone()),
            block,
            irq: Arc::default(),
            iommu: Arc::default(),
            sensor: Sensor::new(),
            console: Console::default(),
            frames: AtomicU64::new(0),
            dma_faults: AtomicU64::new(0),
        });
        let engine = Arc::clone(&hardware);
        // Linux cuts a thread's name at 15 bytes.
        let short = format!("vin-{}", name.split('.').next().unwrap_or(name));
        let thread = thread::Builder::new()
            .name(short)
            .spawn(move || engine.run())
            .expect("the board needs one thread for each device");
        (Vin { hardware }, thread)
    }

    pub(super) fn block(&self) -> Arc<Block> {
        Arc::clone(&self.hardware.block)
    }

    pub(super) fn power_off(&self) {
        self.hardware.block.change(|state| state.power_off = true);
    }
}

/// What the hardware latches when a frame begins; later writes are for the next frame.
struct Frame {
    slot: usize,
    address: u64,
    /// The life of the device in which the frame began.
    life: u64,
    layout: Option<Layout>,
    /// When the last line will have been written.
    end: Instant,
    /// Whether the start of the frame raises the interrupt.
    interrupt: bool,
}

impl Hardware {
    fn run(&self) {
        let mut picture: Option<Picture> = None;
        let mut number = 0;
        // Slots are used in turn, and the turn goes on from one capture to the next: a driver that
        // wants to begin with slot 0 has to wait for it.
        let mut slot = 0;
        let mut next = Instant::now();
        while let Some(frame) = self.start_of_frame(slot, &mut next) {
            slot = (slot + 1) % HW_BUFFER_NUM;
            if frame.interrupt {
                self.irq.raise();
            }
            if let Some(layout) = frame.layout
                && picture.as_ref().is_none_or(|picture| *picture.layout() != layout)
            {
                picture = Some(Picture::new(layout));
            }
            let pixels = match &mut picture {
                Some(picture) if frame.layout.is_some() => picture.render(number),
                // A window without sense: the engine runs, and has nothing to write.
                _ => &[],
            };
            if !self.expose(&frame) {
                continue;
            }
            let written = frame.layout.map(|_| self.iommu.write(frame.address, pixels));
            number += 1;
            if self.end_of_frame(&frame, written) {
                self.irq.raise();
            }
        }
    }

    /// Waits for the vertical sync of a frame that is to be captured; [`None`] at power off.
    fn start_of_frame(&self, slot: usize, next: &mut Instant) -> Option<Frame> {
        let mut state = self.block.lock();
        loop {
            if state.power_off {
                return None;
            }
            if !state.capturing() || !state.fed() {
                self.block.wait(&mut state);
                continue;
            }
            let now = Instant::now();
            // A faster rate is not kept waiting for by a slower one.
            *next = (*next).min(now + state.frame_interval);
            if now < *next {
                self.block.wait_until(&mut state, *next);
                continue;
            }
            // A frame takes three quarters of the interval; the rest is vertical blanking. After a
            // pause the sensor does not make up for the frames that it has missed.
            let interval = state.frame_interval;
            *next = if now - *next < interval { *next + interval } else { now + interval };
            state.set_in_frame(true);
            let interrupt = state.add_events(VNINTS_VFS);
            return Some(Frame {
                slot,
                address: u64::from(state.get(VNMB_REG(slot))),
                life: state.life,
                layout: layout(&state, &self.sensor.image()),
                end: now + interval * 3 / 4,
                interrupt,
            });
        }
    }

    /// Waits until the last line; false if the device went away or lost power before.
    fn expose(&self, frame: &Frame) -> bool {
        let mut state = self.block.lock();
        while state.life == frame.life && !state.power_off {
            if self.block.wait_until(&mut state, frame.end) || Instant::now() >= frame.end {
                return true;
            }
        }
        false
    }

    /// Ends the frame; whether that raises the interrupt. `written` is whether memory was where the registers
    /// said, or [`None`] if they described no picture.
    fn end_of_frame(&self, frame: &Frame, written: Option<bool>) -> bool {
        let mut state = self.block.lock();
        if state.life != frame.life {
            // Gone in the meantime, and the driver may have unmapped the buffer: not its fault.
            return false;
        }
        let (name, address) = (self.name, frame.address);
        match written {
            Some(true) => _ = self.frames.fetch_add(1, Ordering::Relaxed),
            Some(false) => {
                self.dma_faults.fetch_add(1, Ordering::Relaxed);
                tracing::error!("{name}: IOMMU fault: DMA to {address:#x}, which is not mapped");
            }
            None => {
                let (vnmc, vndmr) = (state.get(VNMC_REG), state.get(VNDMR_REG));
                tracing::error!("{name}: no picture: VNMC {vnmc:#x} and VNDMR {vndmr:#x} with this window make none");
            }
        }
        if state.get(VNFC_REG) & VNFC_S_FRAME != 0 {
            let rest = state.get(VNFC_REG) & !VNFC_S_FRAME;
            state.set(VNFC_REG, rest);
        }
        let status = state.get(VNMS_REG) & !VNMS_FBS_MASK;
        state.set(VNMS_REG, status | (frame.slot as u32) << VNMS_FBS_SHIFT);
        state.set_in_frame(false);
        state.add_events(VNINTS_FIS | VNINTS_EFS)
    }
}

/// What the registers of VIN and sensor say about the picture; [`None`] if they do not describe one.
fn layout(state: &State, image: &Image) -> Option<Layout> {
    let (left, right) = (state.get(VNSPPRC_REG), state.get(VNEPPRC_REG));
    let (top, bottom) = (state.get(VNSLPRC_REG), state.get(VNELPRC_REG));
    if right < left || bottom < top || right >= WINDOW_MAX || bottom >= WINDOW_MAX {
        return None;
    }
    // Pixels come in pairs that share their chroma.
    let (width, height) = ((right - left + 1) & !1, bottom - top + 1);
    if width == 0 {
        return None;
    }
    let scene = image.frame.unwrap_or((right + 1, bottom + 1));
    if right >= scene.0 || bottom >= scene.1 {
        return None;
    }
    let format = pixel_format(state.get(VNMC_REG), state.get(VNDMR_REG))?;
    // A stride less than the window would have lines overlap, which no driver wants.
    let stride = state.get(VNIS_REG).clamp(width, 2 * WINDOW_MAX).next_multiple_of(2);
    let bytesperline = stride * format.bytes_per_pixel();
    Some(Layout {
        format,
        width,
        height,
        bytesperline,
        uv_offset: state.get(VNUVAOF_REG).clamp(bytesperline * height, 2 * WINDOW_MAX * WINDOW_MAX),
        origin: (left, top),
        scene,
        pattern: image.pattern,
        brightness: image.brightness,
    })
}

/// The format that data mode `dmr` makes, given what comes in and whether its colours are kept.
fn pixel_format(vnmc: u32, dmr: u32) -> Option<PixelFormat> {
    let input_is_yuv = vnmc & VNMC_INF_MASK == VNMC_INF_YUV16;
    let output_is_yuv = input_is_yuv == (vnmc & VNMC_BPS != 0);
    Some(match (output_is_yuv, dmr) {
        (true, 0) => PixelFormat::Uyvy,
        (true, VNDMR_BPSM) => PixelFormat::Yuyv,
        (true, VNDMR_DTMD_YCSEP) => PixelFormat::Nv16,
        (true, VNDMR_DTMD_YCSEP_420) => PixelFormat::Nv12,
        (true, dmr) if dmr == VNDMR_DTMD_YCSEP | VNDMR_YMODE_Y8 => PixelFormat::Grey,
        (false, 0) => PixelFormat::Rgb565,
        (false, VNDMR_EXRGB) => PixelFormat::Xbgr32,
        _ => return None,
    })
}
