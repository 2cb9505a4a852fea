//! What the whole-system tests share.
use fops_runtime::host::{Bus, Descriptor, Devices};
use fops_runtime::{OpenFlags, Result};
use rcar_vin::core::{DEVICE, DRIVER, RcarVinDriver};
use rcar_vin::sim::{Board, Vin};
use std::sync::Arc;

/// A computer with the board in it, and the driver bound.
pub struct Machine {
    /// Where the nodes are.
    pub devices: Arc<Devices>,
    /// Where the device is.
    pub bus: Arc<Bus>,
    /// The hardware.
    pub board: Arc<Board>,
}

impl Machine {
    /// Switches it on, with a sensor that is fast enough for a test.
    pub fn new() -> Self {
        let board = Arc::new(Board::new());
        let devices = Devices::new();
        let bus = Bus::new("platform", devices.clone());
        bus.register_driver(RcarVinDriver::new(board.clone())).unwrap();
        bus.add_device(DEVICE).unwrap();
        let machine = Self { devices, bus, board };
        machine.vin().set_frame_rate(200.0);
        machine.bind();
        machine
    }

    /// Binds the driver.
    pub fn bind(&self) {
        self.bus.bind(DRIVER, DEVICE).unwrap();
    }

    /// The hardware of the device.
    pub fn vin(&self) -> &Vin {
        self.board.vin(DEVICE).unwrap()
    }

    /// Opens the video node.
    ///
    /// # Errors
    /// The driver's.
    pub fn open(&self, flags: OpenFlags) -> Result<Descriptor> {
        self.devices.open("video0", flags)
    }

    /// The driver has touched nothing that was gone.
    pub fn check(&self) {
        assert_eq!(self.vin().late_accesses(), 0, "registers were touched after remove");
        assert_eq!(self.vin().dma_faults(), 0, "the device wrote to memory that was taken from it");
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}
