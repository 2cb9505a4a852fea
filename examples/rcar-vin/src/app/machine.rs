//! A computer with some VINs behind a CSI-2 receiver: the board, the platform bus, and the nodes.
use crate::board::Board;
use crate::driver::core::{DRIVER, RcarVinDriver};
use crate::driver::csi2::{CSI2_DEVICE, CSI2_DRIVER, RcarCsi2Driver};
use crate::driver::group::RvinGroup;
use crate::driver::platform::Platform;
use fops_host::{Bus, Devices, NodeKind, Removal};
use fops_runtime::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Everything that a host serves.
pub struct Machine {
    /// The hardware.
    pub board: Arc<Board>,
    /// The nodes.
    pub devices: Arc<Devices>,
    /// The platform bus, with the drivers registered.
    pub bus: Arc<Bus>,
    released: Arc<AtomicU64>,
}

impl Machine {
    /// Switches a machine on that has these VINs, such as `e6ef0000.video`, and a receiver that feeds them all, and binds
    /// each to its driver. The nodes are `video0` for the first VIN and so on, `v4l-subdev0` and `media0`.
    ///
    /// # Errors
    /// What probe says.
    pub fn new(vins: &[&'static str]) -> Result<Self> {
        Self::with_group(vins, RvinGroup::new())
    }

    pub(crate) fn with_group(vins: &[&'static str], group: Arc<RvinGroup>) -> Result<Self> {
        let board = Arc::new(Board::with_group(vins, CSI2_DEVICE));
        let released = Arc::new(AtomicU64::new(0));
        let devices = Devices::new();
        // As `v4l2-dev.c` and `mc-devnode.c` number them, where minor numbers are in fixed ranges.
        devices.add_kind(NodeKind::class("video", "video4linux", 81, 0));
        devices.add_kind(NodeKind::class("v4l-subdev", "video4linux", 81, 128));
        devices.add_kind(NodeKind::bus("media", "media", 511, 0));
        let bus = Bus::new("platform", devices.clone());
        bus.register_driver(RcarVinDriver::new(Platform::new(&board), group.clone()))?;
        bus.register_driver(RcarCsi2Driver::new(Platform::new(&board), group, released.clone()))?;
        for vin in vins {
            bus.add_device(vin)?;
            bus.bind(DRIVER, vin)?;
        }
        bus.add_device(CSI2_DEVICE)?;
        bus.bind(CSI2_DRIVER, CSI2_DEVICE)?;
        Ok(Self { board, devices, bus, released })
    }

    /// How many subdevs have run their release op.
    pub fn released(&self) -> u64 {
        self.released.load(SeqCst)
    }

    /// Takes the driver from every device, and waits until it is done. All removals begin before any is waited for: an
    /// operation of one device may hold up its own for long.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn unbind_all(&self) -> Result {
        self.begin_unbind().iter().try_for_each(|removal| removal.wait().map(drop))
    }

    /// Begins to take the driver from every device, from all at once: one may wait for another.
    pub fn begin_unbind(&self) -> Vec<Arc<Removal>> {
        let bound = self.bus.device_names().into_iter().filter_map(|(device, driver)| Some((device, driver?)));
        bound.filter_map(|(device, driver)| self.bus.unbind(&driver, &device).ok()).collect()
    }

    /// What the hardware has seen that it must not see: one line each, none if all is well.
    pub fn faults(&self) -> Vec<String> {
        let late = |name, count| (name, count, "accesses to registers that were unmapped");
        let vins = self.board.names().filter_map(|name| self.board.vin(name)).flat_map(|vin| {
            let dma = (vin.name(), vin.dma_faults(), "writes to memory that was unmapped");
            [late(vin.name(), vin.late_accesses()), dma]
        });
        let csi2 = self.board.csi2().map(|csi2| late(csi2.name(), csi2.late_accesses()));
        let faults = vins.chain(csi2).filter(|(_, count, _)| *count > 0);
        faults.map(|(name, count, what)| format!("{name}: {count} {what}")).collect()
    }
}
