//! Probe and remove of a VIN: what the device consists of, and which part of it dies when.
//!
//! A VIN has its registers and its interrupt from probe to remove ([`VinPort`]). Its node, and with it the rest of
//! [`VinHw`], is there only while the CSI-2 receiver is, too: see [`group`](crate::driver::group). Everything else in
//! [`RcarVin`] is state, which lives until the last file is closed. After `rcar-core.c`.
use crate::driver::controls::Controls;
use crate::driver::csi2::Csi2;
use crate::driver::dma::Capture;
use crate::driver::events::Listeners;
use crate::driver::gone;
use crate::driver::group::{Routes, RvinGroup};
use crate::driver::platform::{
    Console, DmaMapping, DmaMemory, I2cClient, IrqGuard, IrqReturn, Mmio, Platform, PlatformVin, ResetControl,
};
use crate::driver::v4l2::Settings;
use fops_host::{BufferMemory, BusDevice, Driver, Nodes, Power, Probe, Removable};
use fops_runtime::{Cause, DeviceLifetime, Errno, Resources, Result, Subdev, Unplug, UnplugError, WaitQueue};
use parking_lot::Mutex;
use std::sync::Arc;

/// The first VIN, as the device tree names it.
pub const DEVICE: &str = "e6ef0000.video";
/// The driver's name on the platform bus.
pub const DRIVER: &str = "rcar-vin";

/// Memory for the buffers of one node, in bytes: eight of the largest pictures. Only what is written takes room.
const BUFFER_MEMORY: usize = 128 << 20;

/// What a VIN has from probe to remove, whether it has a node or not.
#[derive(Resources)]
pub struct VinPort {
    /// Dropped first: no interrupt comes any more, then the registers go.
    _irq: IrqGuard,
    _sensor_irq: IrqGuard,
    pub(crate) mmio: Mmio,
    pub(crate) reset: ResetControl,
    pub(crate) sensor: I2cClient,
    pub(crate) console: Console,
    pdev: PlatformVin,
}

/// The resources: what the node's operations need and unplug takes away.
///
/// Dropped in this order: the receiver is let go of, then there is no interrupt, no registers, and no DMA.
#[derive(Resources)]
pub struct VinHw {
    /// Where the pictures come from.
    pub(crate) csi2: Subdev<Csi2>,
    pub(crate) port: VinPort,
    /// The node's memory, as the device addresses it.
    pub(crate) buffers: DmaMapping,
    /// Where frames go that nobody has queued a buffer for.
    pub(crate) scratch: DmaMapping,
}

/// The driver's structure for the node of one VIN.
pub struct RcarVin {
    pub(crate) lifetime: DeviceLifetime<VinHw>,
    pub(crate) device: BusDevice,
    /// Its number in the group.
    pub(crate) channel: usize,
    pub(crate) routes: Arc<Routes>,
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

/// The driver, for all VINs of a group.
pub struct RcarVinDriver {
    platform: Platform,
    group: Arc<RvinGroup>,
}

/// A VIN that the driver is bound to.
pub struct VinDevice {
    channel: usize,
    group: Arc<RvinGroup>,
    /// What its unplug has done.
    records: Mutex<String>,
}

impl RcarVinDriver {
    /// A driver for the VINs of `platform`, which are one group.
    pub fn new(platform: Platform, group: Arc<RvinGroup>) -> Self {
        Self { platform, group }
    }
}

impl Driver for RcarVinDriver {
    type Device = VinDevice;

    fn name(&self) -> &str {
        DRIVER
    }

    fn probe(&self, probe: &mut Probe) -> Result<Arc<VinDevice>> {
        let (channel, pdev) = self.platform.vin(probe.device())?;
        let mmio = pdev.ioremap()?;
        if !gone::is_there(&mmio) {
            return Err(Errno::ENODEV);
        }
        let sensor = pdev.sensor()?;
        let (reset, console) = (pdev.reset_control(), pdev.console());
        // Interrupts come whether there is a node or not.
        let group = Arc::downgrade(&self.group);
        let vin = move || group.upgrade().and_then(|group| group.vin(channel));
        let handler = vin.clone();
        let handler = move || handler().map_or(IrqReturn::None, |vin| vin.sensor_irq());
        let sensor_irq = pdev.request_sensor_irq(handler)?;
        let handler = move || vin().map_or(IrqReturn::None, |vin| vin.irq());
        let irq = pdev.request_irq(handler)?;
        self.group.join(
            channel,
            probe,
            VinPort { _irq: irq, _sensor_irq: sensor_irq, mmio, reset, sensor, console, pdev },
        )?;
        Ok(Arc::new(VinDevice { channel, group: self.group.clone(), records: Mutex::default() }))
    }

    fn remove(&self, vin: &Arc<VinDevice>, port: VinPort, cause: Cause) {
        let name = port.pdev.name();
        // Nobody has a reference any more: interrupt and registers go. Files may still be open.
        drop(port);
        tracing::info!("{name}: VIN {} removed ({cause}), its registers are unmapped", vin.channel);
    }

    fn power(&self, vin: &Arc<VinDevice>, power: Power) -> Result {
        // Without a receiver there is no node, and nothing runs.
        vin.group.vin(vin.channel).map_or(Ok(()), |node| node.power(power))
    }
}

/// A VIN goes by itself: the others of its group stay.
impl Removable for VinDevice {
    type Resources = VinPort;

    fn take_down(&self, cause: Cause) -> Result<VinPort, UnplugError> {
        let vin = self.group.vin(self.channel);
        let port = self.group.leave(self.channel, cause)?;
        *self.records.lock() = vin.map(|vin| Unplug::records(&*vin).to_string()).unwrap_or_default();
        Ok(port)
    }

    fn escalate(&self, cause: Cause) {
        self.group.escalate(self.channel, cause);
    }

    fn stragglers(&self) -> String {
        self.group.vin(self.channel).map_or_else(String::new, |vin| vin.lifetime.report().to_string())
    }

    fn records(&self) -> String {
        self.records.lock().clone()
    }
}

impl VinPort {
    /// What the node `device` needs: the port is taken, unless there is no room for the rest.
    pub(crate) fn connect(port: &mut Option<Self>, csi2: &Subdev<Csi2>, memory: &Arc<BufferMemory>) -> Result<VinHw> {
        let Some(Self { pdev, .. }) = port else { return Err(Errno::EBUSY) };
        let buffers = pdev.dma_map(Arc::new(Buffers(memory.clone())), memory.len())?;
        let scratch = pdev.dma_map(Arc::new(Scratch), memory.len())?;
        let port = port.take().ok_or(Errno::EBUSY)?;
        Ok(VinHw { csi2: csi2.clone(), port, buffers, scratch })
    }
}

impl RcarVin {
    /// A node's device, with memory of its own: what old files have mapped shows nothing of the new one's pictures.
    pub(crate) fn new(
        device: &BusDevice,
        channel: usize,
        routes: &Arc<Routes>,
        port: &mut Option<VinPort>,
        csi2: &Subdev<Csi2>,
    ) -> Result<Arc<Self>> {
        let memory = BufferMemory::new(BUFFER_MEMORY)?;
        let hw = VinPort::connect(port, csi2, &memory)?;
        Ok(Arc::new(Self {
            lifetime: DeviceLifetime::new(hw),
            device: device.clone(),
            channel,
            routes: routes.clone(),
            settings: Mutex::default(),
            capture: Mutex::new(Capture::new(memory.len())),
            done: WaitQueue::new(),
            stopped: WaitQueue::new(),
            controls: Mutex::default(),
            listeners: Listeners::default(),
            memory,
        }))
    }

    /// Puts the node among those of the VIN.
    pub(crate) fn register(self: &Arc<Self>, nodes: &Nodes) {
        nodes.register("video", self, Some(self.memory.clone()));
    }
}

/// The node's buffers, for the device to write to.
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
