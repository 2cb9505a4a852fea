//! The VIN itself: what a driver gets from it, and what a person or a test does to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Busy;
use super::console::Console;
use super::dma::{DmaMapping, DmaMemory, Iommu};
use super::io::{Mmio, Window};
use super::irq::{IrqGuard, IrqLine, IrqReturn};
use super::registers::{Block, ResetControl, State};
use super::sensor::{I2cClient, Sensor};
use crate::driver::registers::vin::{VNMS_CA, VNMS_REG};

const DEFAULT_FRAME_RATE: f64 = 30.0;

/// What is on the board for one VIN. Its thread runs the engine.
pub(super) struct Hardware {
    pub(super) name: &'static str,
    pub(super) block: Arc<Block>,
    window: Arc<Window>,
    pub(super) irq: Arc<IrqLine>,
    pub(super) iommu: Arc<Iommu>,
    pub(super) sensor: Arc<Sensor>,
    console: Console,
    pub(super) frames: AtomicU64,
    pub(super) dma_faults: AtomicU64,
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
