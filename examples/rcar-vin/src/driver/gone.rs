//! Hardware that is pulled out without a word: the first to see it says so. After `pci_device_is_present` in
//! `drivers/pci/pci.c`: the kernel's rcar-vin has no such check.
use crate::driver::core::{RcarVin, VinHw};
use crate::driver::platform::Mmio;
use crate::driver::registers::vin::VNMC_REG;
use fops_runtime::{Cause, Errno, Result};

/// Whether the hardware answers. VNMC has bits that read as 0, so all ones come from a bus where nobody is.
pub(crate) fn is_there(mmio: &Mmio) -> bool {
    mmio.read(VNMC_REG) != u32::MAX
}

impl RcarVin {
    /// Sees whether the hardware is there, where something that was read says all ones.
    ///
    /// If it is gone, so must the device be: asks the bus for that, once however many see it, and does not wait, since the
    /// removal waits for the caller's section.
    ///
    /// # Errors
    /// `ENODEV` when it is gone.
    pub(crate) fn check_there(&self, hw: &VinHw) -> Result {
        if is_there(&hw.port.mmio) {
            return Ok(());
        }
        match self.device.remove(Cause::SurpriseRemoval) {
            Ok(removal) => tracing::debug!("{}: does not answer: {removal:?}", self.device.name()),
            Err(errno) => tracing::debug!("{}: does not answer, and is off the bus: {errno}", self.device.name()),
        }
        Err(Errno::ENODEV)
    }
}
