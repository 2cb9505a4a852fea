//! Registers, as a driver reaches them: mapped, and poisoned once they are unmapped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use fops_runtime::Resources;
use parking_lot::RwLock;

use super::Busy;

/// What a bus answers where no device does.
const ALL_ONES: u32 = u32::MAX;

/// A device with registers of 32 bits. [`None`] is what it says when it is not in its place.
pub(super) trait Chip: Send + Sync {
    /// Size of the register block, in bytes.
    fn size(&self) -> u32;
    /// The register at `offset`, for messages.
    fn register_name(&self, offset: u32) -> &'static str;
    fn read(&self, offset: u32) -> Option<u32>;
    fn write(&self, offset: u32, value: u32) -> Option<()>;
}

/// Where on the bus a chip's registers are.
pub(super) struct Window {
    chip: Arc<dyn Chip>,
    mapped: AtomicBool,
    late: AtomicU64,
    absent: AtomicU64,
}

impl Window {
    pub(super) fn new(chip: Arc<dyn Chip>) -> Arc<Window> {
        Arc::new(Window { chip, mapped: AtomicBool::new(false), late: AtomicU64::new(0), absent: AtomicU64::new(0) })
    }

    pub(super) fn ioremap(self: &Arc<Self>) -> Result<Mmio, Busy> {
        if self.mapped.swap(true, Ordering::AcqRel) {
            return Err(Busy);
        }
        let mapping = Mapping { window: Arc::clone(self), live: RwLock::new(true) };
        Ok(Mmio { pointer: IoPtr { mapping: Arc::new(mapping) } })
    }

    pub(super) fn late_accesses(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    pub(super) fn absent_accesses(&self) -> u64 {
        self.absent.load(Ordering::Relaxed)
    }
}

/// One life of the mapping, from `ioremap` to `iounmap`.
struct Mapping {
    window: Arc<Window>,
    /// Held for reading during an access, which so comes either before `iounmap` or is late.
    live: RwLock<bool>,
}

/// A pointer into the mapped registers (`void __iomem *`): copied freely, and as easily kept too long.
///
/// After the [`Mmio`] it came from is gone, every access through it is a *late access*: it touches
/// no register, reads all ones, is logged, and is counted by
/// [`Vin::late_accesses`](super::Vin::late_accesses). Unlike a real pointer it counts its copies, so unplug names one that is left.
#[derive(Clone, Resources)]
pub struct IoPtr {
    mapping: Arc<Mapping>,
}

impl IoPtr {
    /// Reads the register at `offset` (`ioread32`). All ones if the device is gone.
    ///
    /// # Panics
    ///
    /// If `offset` is not that of a 32 bit register within the block.
    pub fn read(&self, offset: u32) -> u32 {
        self.access(offset, "read", |chip| chip.read(offset)).unwrap_or(ALL_ONES)
    }

    /// Writes the register at `offset` (`iowrite32`). Without effect if the device is gone.
    ///
    /// # Panics
    ///
    /// If `offset` is not that of a 32 bit register within the block.
    pub fn write(&self, offset: u32, value: u32) {
        self.access(offset, "write", |chip| chip.write(offset, value));
    }

    /// Whether the mapping is still there; a driver cannot ask this of a real pointer.
    pub fn is_live(&self) -> bool {
        *self.mapping.live.read()
    }

    fn access<T>(&self, offset: u32, what: &str, access: impl FnOnce(&dyn Chip) -> Option<T>) -> Option<T> {
        let window = &self.mapping.window;
        assert!(
            offset < window.chip.size() && offset.is_multiple_of(4),
            "{what} of a register at {offset:#x}, where there cannot be one"
        );
        let live = self.mapping.live.read();
        if !*live {
            drop(live);
            window.late.fetch_add(1, Ordering::Relaxed);
            tracing::error!("late access: {what} of {} after iounmap", window.chip.register_name(offset));
            return None;
        }
        let answer = access(&*window.chip);
        if answer.is_none() {
            window.absent.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
}

/// The mapped registers, as `ioremap` gives them to a driver; dropping it is `iounmap`.
///
/// There is one of it at a time. It belongs to the driver's resources, which unplug hands back to
/// the remover: the drop poisons whatever [`IoPtr`] has been left behind.
#[derive(Resources)]
#[must_use = "dropping it unmaps the registers"]
pub struct Mmio {
    pointer: IoPtr,
}

impl Mmio {
    /// A raw pointer to the registers, which nothing keeps from being used too late.
    pub fn as_ptr(&self) -> IoPtr {
        self.pointer.clone()
    }

    /// Reads the register at `offset`; see [`IoPtr::read`].
    pub fn read(&self, offset: u32) -> u32 {
        self.pointer.read(offset)
    }

    /// Writes the register at `offset`; see [`IoPtr::write`].
    pub fn write(&self, offset: u32, value: u32) {
        self.pointer.write(offset, value);
    }
}

impl Drop for Mmio {
    fn drop(&mut self) {
        let mapping = &self.pointer.mapping;
        *mapping.live.write() = false;
        mapping.window.mapped.store(false, Ordering::Release);
    }
}
