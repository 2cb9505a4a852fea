//! What the driver gets from the kernel. No other file of the driver knows the board that plays the kernel here.
//!
//! | here | in Linux |
//! |---|---|
//! | [`Platform`], `PlatformVin`, `PlatformCsi2` | the device tree and its `struct platform_device`s |
//! | [`Mmio`] | `devm_platform_ioremap_resource` |
//! | [`IrqGuard`], [`IrqReturn`] | `request_irq` and `free_irq`, `irqreturn_t` |
//! | [`ResetControl`] | `devm_reset_control_get` |
//! | [`DmaMapping`], [`DmaMemory`] | `dma_map_single` and `dma_unmap_single` |
//! | [`I2cClient`] | `i2c_new_client_device` |
//! | [`Console`] | where `printk` goes |
pub use crate::board::{Console, DmaMapping, DmaMemory, I2cClient, IrqGuard, IrqReturn, Mmio, ResetControl};

use crate::board::{Board, Busy, Csi2Receiver, Nack, Vin};
use fops_runtime::{Errno, Result};
use std::sync::Arc;

/// The devices that there are, as the device tree names them.
#[derive(Clone)]
pub struct Platform(Arc<Board>);

impl Platform {
    /// The devices of `board`.
    pub fn new(board: &Arc<Board>) -> Self {
        Self(board.clone())
    }

    /// The VIN of this name, and its number (`renesas,id`).
    pub(crate) fn vin(&self, name: &str) -> Result<(usize, PlatformVin)> {
        let number = self.0.names().position(|known| known == name).ok_or(Errno::ENODEV)?;
        Ok((number, PlatformVin(self.0.vin(name).ok_or(Errno::ENODEV)?.clone())))
    }

    /// The CSI-2 receiver of this name.
    pub(crate) fn csi2(&self, name: &str) -> Result<PlatformCsi2<'_>> {
        self.0.csi2().filter(|csi2| csi2.name() == name).map(PlatformCsi2).ok_or(Errno::ENODEV)
    }
}

/// A VIN and the sensor before it. Each resource is a guard: dropping it gives the resource back.
pub(crate) struct PlatformVin(Vin);

impl PlatformVin {
    /// Such as `e6ef0000.video`.
    pub(crate) fn name(&self) -> &'static str {
        self.0.name()
    }

    pub(crate) fn ioremap(&self) -> Result<Mmio> {
        Ok(self.0.ioremap()?)
    }

    pub(crate) fn request_irq(&self, handler: impl Fn() -> IrqReturn + Send + Sync + 'static) -> Result<IrqGuard> {
        Ok(self.0.request_irq(handler)?)
    }

    /// As [`request_irq`](Self::request_irq), for the interrupt of the sensor.
    pub(crate) fn request_sensor_irq(
        &self,
        handler: impl Fn() -> IrqReturn + Send + Sync + 'static,
    ) -> Result<IrqGuard> {
        Ok(self.0.request_sensor_irq(handler)?)
    }

    pub(crate) fn sensor(&self) -> Result<I2cClient> {
        Ok(self.0.sensor()?)
    }

    pub(crate) fn reset_control(&self) -> ResetControl {
        self.0.reset_control()
    }

    pub(crate) fn console(&self) -> Console {
        self.0.console()
    }

    /// Lets the device write to the first `length` bytes of `memory`.
    pub(crate) fn dma_map(&self, memory: Arc<dyn DmaMemory>, length: u64) -> Result<DmaMapping> {
        self.0.dma_map(memory, 0, length).ok_or(Errno::ENOMEM)
    }
}

/// A CSI-2 receiver.
pub(crate) struct PlatformCsi2<'a>(&'a Csi2Receiver);

impl PlatformCsi2<'_> {
    pub(crate) fn ioremap(&self) -> Result<Mmio> {
        Ok(self.0.ioremap()?)
    }
}

/// Somebody else has the resource.
impl From<Busy> for Errno {
    fn from(_: Busy) -> Self {
        Self::EBUSY
    }
}

/// A transfer that no sensor acknowledges, as an I2C adapter reports it.
impl From<Nack> for Errno {
    fn from(_: Nack) -> Self {
        Self::ENXIO
    }
}
