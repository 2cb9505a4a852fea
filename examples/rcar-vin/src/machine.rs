//! A computer with some VINs: the board, the platform bus, and the nodes.
use crate::core::{DRIVER, RcarVinDriver};
use crate::sim::Board;
use fops_runtime::Result;
use fops_runtime::host::{Bus, Devices};
use std::sync::Arc;

/// Everything that a host serves.
pub struct Machine {
    /// The hardware.
    pub board: Arc<Board>,
    /// The nodes.
    pub devices: Arc<Devices>,
    /// The platform bus, with the driver registered.
    pub bus: Arc<Bus>,
}

impl Machine {
    /// Switches a machine on that has these VINs, such as `e6ef0000.video`, and binds the driver to each.
    ///
    /// # Errors
    /// What probe says.
    pub fn new(vins: &[&'static str]) -> Result<Self> {
        let board = Arc::new(Board::with_vins(vins));
        let devices = Devices::new();
        let bus = Bus::new("platform", devices.clone());
        bus.register_driver(RcarVinDriver::new(board.clone()))?;
        for vin in vins {
            bus.add_device(vin)?;
            bus.bind(DRIVER, vin)?;
        }
        Ok(Self { board, devices, bus })
    }

    /// Takes the driver from every device, and waits until it is done.
    ///
    /// # Errors
    /// `EINTR`.
    pub fn unbind_all(&self) -> Result {
        for (device, driver) in self.bus.device_names() {
            if let Some(driver) = driver
                && let Ok(removal) = self.bus.unbind(&driver, &device)
            {
                removal.wait()?;
            }
        }
        Ok(())
    }

    /// What the hardware has seen that it must not see: one line each, none if all is well.
    pub fn faults(&self) -> Vec<String> {
        let vins = self.board.names().filter_map(|name| Some((name, self.board.vin(name)?)));
        vins.flat_map(|(name, vin)| {
            let late = (vin.late_accesses(), "accesses to registers that were unmapped");
            let dma = (vin.dma_faults(), "writes to memory that was unmapped");
            [late, dma].into_iter().filter(|(n, _)| *n > 0).map(move |(n, what)| format!("{name}: {n} {what}"))
        })
        .collect()
    }
}
