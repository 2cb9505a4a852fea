//! Probe and remove: what the device consists of, and which part of it dies when.
//!
//! [`VinHw`] is what unplug takes away: interrupt, DMA mappings, registers. Everything else in [`RcarVin`] is
//! state that lives until the last file is closed. After `rcar-core.c`.
use crate::controls::Controls;
use crate::dma::Capture;
use crate::events::Listeners;
use crate::sim::{Board, Console, DmaMapping, DmaMemory, I2cClient, IrqGuard, IrqReturn, Mmio, ResetControl, Vin};
use crate::v4l2::Settings;
use fops_runtime::host::{BufferMemory, Driver, Probe};
use fops_runtime::{Cause, DeviceLifetime, Errno, Result, WaitQueue};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock, Weak};

/// The device that is on every board here, as the device tree names it.
pub const DEVICE: &str = "e6ef0000.video";
/// The driver's name on the platform bus.
pub const DRIVER: &str = "rcar-vin";

/// Memory for the buffers of one node, in bytes: eight of the largest pictures. Only what is written takes room.
const BUFFER_MEMORY: usize = 128 << 20;

/// The resources: what the device has from probe to unplug.
///
/// Dropped in this order: no interrupt comes any more, then no DMA, then the registers go.
pub struct VinHw {
    _irq: IrqGuard,
    _sensor_irq: IrqGuard,
    /// The node's memory, as the device addresses it.
    pub(crate) buffers: DmaMapping,
    /// Where frames go that nobody has queued a buffer for.
    pub(crate) scratch: DmaMapping,
    pub(crate) mmio: Mmio,
    pub(crate) reset: ResetControl,
    pub(crate) sensor: I2cClient,
    pub(crate) console: Console,
}

/// The driver's structure for one VIN.
pub struct RcarVin {
    pub(crate) lifetime: DeviceLifetime<VinHw>,
    pub(crate) name: String,
    /// Serializes the ioctls that change something, except while they sleep (`vdev->lock`). Taken before `capture`.
    pub(crate) settings: Mutex<Settings>,
    /// Buffers and hardware slots; the interrupt handler takes it too (`qlock`).
    pub(crate) capture: Mutex<Capture>,
    /// Woken when a buffer is done or the stream ends (`done_wq`).
    pub(crate) done: WaitQueue,
    /// Woken when a frame has ended and the stream is to end.
    pub(crate) stopped: WaitQueue,
    /// What the user has set on the sensor.
    pub(crate) controls: Mutex<Controls>,
    /// The open files, as far as they want to hear of events. Taken last.
    pub(crate) listeners: Listeners,
    pub(crate) memory: Arc<BufferMemory>,
}

/// The driver, for all VINs of a board.
pub struct RcarVinDriver {
    board: Arc<Board>,
}

impl RcarVinDriver {
    /// A driver for the VINs of `board`.
    pub fn new(board: Arc<Board>) -> Self {
        Self { board }
    }
}

impl Driver for RcarVinDriver {
    type Device = RcarVin;

    fn name(&self) -> &str {
        DRIVER
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<RcarVin>> {
        let board = self.board.vin(probe.device()).ok_or(Errno::ENODEV)?;
        let memory = BufferMemory::new(BUFFER_MEMORY)?;
        // The handler may run before the device exists: it is not ours then.
        let device = Arc::new(OnceLock::<Weak<RcarVin>>::new());
        let hw = take_resources(board, &memory, device.clone())?;
        let vin = Arc::new(RcarVin {
            lifetime: DeviceLifetime::new(hw),
            name: probe.device().to_owned(),
            settings: Mutex::default(),
            capture: Mutex::new(Capture::new(memory.len())),
            done: WaitQueue::new(),
            stopped: WaitQueue::new(),
            controls: Mutex::default(),
            listeners: Listeners::default(),
            memory: memory.clone(),
        });
        device.get_or_init(|| Arc::downgrade(&vin));
        probe.register_node("video", &vin, Some(memory));
        Ok(vin)
    }

    fn remove(&self, vin: &Arc<RcarVin>, hw: VinHw, cause: Cause) {
        // Nobody has a reference any more: interrupt, mappings and registers go. Files may still be open.
        drop(hw);
        tracing::info!("{}: removed ({cause}), its registers are unmapped", vin.name);
    }
}

fn take_resources(board: &Vin, memory: &Arc<BufferMemory>, device: Arc<OnceLock<Weak<RcarVin>>>) -> Result<VinHw> {
    /// The node's buffers.
    struct Buffers(Arc<BufferMemory>);

    impl DmaMemory for Buffers {
        fn write(&self, address: u64, data: &[u8]) {
            if let Err(errno) = self.0.write_at(address, data) {
                tracing::error!("DMA of {} bytes to {address:#x}: {errno}", data.len());
            }
        }
    }

    /// Nobody reads what is written here.
    struct Scratch;

    impl DmaMemory for Scratch {
        fn write(&self, _address: u64, _data: &[u8]) {}
    }

    let mmio = board.ioremap().map_err(|_| Errno::EBUSY)?;
    let buffers = board.dma_map(Arc::new(Buffers(memory.clone())), 0, memory.len()).ok_or(Errno::ENOMEM)?;
    let scratch = board.dma_map(Arc::new(Scratch), 0, memory.len()).ok_or(Errno::ENOMEM)?;
    let sensor = board.sensor().map_err(|_| Errno::EBUSY)?;
    let line = device.clone();
    let handler = move || line.get().and_then(Weak::upgrade).map_or(IrqReturn::None, |vin| vin.sensor_irq());
    let sensor_irq = board.request_sensor_irq(handler).map_err(|_| Errno::EBUSY)?;
    let handler = move || device.get().and_then(Weak::upgrade).map_or(IrqReturn::None, |vin| vin.irq());
    let irq = board.request_irq(handler).map_err(|_| Errno::EBUSY)?;
    let (reset, console) = (board.reset_control(), board.console());
    Ok(VinHw { _irq: irq, _sensor_irq: sensor_irq, buffers, scratch, mmio, reset, sensor, console })
}
