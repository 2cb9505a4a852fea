//! The register block, shared by the driver's mapping and the hardware behind it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Busy;
use crate::regs::*;

/// What a bus answers where no device does.
const ALL_ONES: u32 = u32::MAX;

/// The hardware's side of the register block. Every field is protected by the block's lock.
pub(super) struct State {
    values: [u32; REGISTER_BLOCK_SIZE as usize / 4],
    /// Whether the device is in its place; without it the bus reads all ones.
    pub(super) present: bool,
    /// Whether the sensor has stopped delivering frames.
    pub(super) stalled: bool,
    /// Whether the board is being switched off.
    pub(super) power_off: bool,
    /// From the start of one frame to the start of the next.
    pub(super) frame_interval: Duration,
    /// Counts removals and resets: a frame that began in another life of the device goes nowhere.
    pub(super) life: u64,
    /// Whether a frame is on its way to memory.
    in_frame: bool,
    mapped: bool,
}

impl State {
    /// The hardware's own view of a register.
    pub(super) fn get(&self, offset: u32) -> u32 {
        self.values[offset as usize / 4]
    }

    /// Sets a register from the hardware's side.
    pub(super) fn set(&mut self, offset: u32, value: u32) {
        self.values[offset as usize / 4] = value;
    }

    /// Whether the driver has enabled capturing.
    pub(super) fn capturing(&self) -> bool {
        self.present && self.get(VNMC_REG) & VNMC_ME != 0 && self.get(VNFC_REG) & (VNFC_C_FRAME | VNFC_S_FRAME) != 0
    }

    /// Enters or leaves a frame; capture active follows.
    pub(super) fn set_in_frame(&mut self, in_frame: bool) {
        self.in_frame = in_frame;
        let status = self.get(VNMS_REG) & !VNMS_AV;
        self.set(VNMS_REG, status | if in_frame { VNMS_AV } else { 0 });
        self.update_capture_active();
    }

    /// CA is set as soon as capturing is enabled, and drops once it is disabled and no frame is on
    /// its way: at once between frames, else at the end of the frame.
    fn update_capture_active(&mut self) {
        let active = self.capturing() || self.in_frame;
        let status = self.get(VNMS_REG) & !VNMS_CA;
        self.set(VNMS_REG, status | if active { VNMS_CA } else { 0 });
    }

    /// Adds `events` to VNINTS; whether the interrupt line is high afterwards.
    pub(super) fn add_events(&mut self, events: u32) -> bool {
        let pending = self.get(VNINTS_REG) | events;
        self.set(VNINTS_REG, pending);
        pending & self.get(VNIE_REG) != 0
    }

    /// Takes the device out.
    pub(super) fn remove(&mut self) {
        self.present = false;
        self.life += 1;
    }

    /// Puts a device in again: all registers at their reset values.
    pub(super) fn insert(&mut self) {
        self.reset();
        self.present = true;
    }

    /// All registers at their reset values; a frame on its way is lost.
    pub(super) fn reset(&mut self) {
        self.life += 1;
        self.values = [0; REGISTER_BLOCK_SIZE as usize / 4];
        self.in_frame = false;
    }

    fn write(&mut self, offset: u32, value: u32) {
        match offset {
            VNMS_REG => {}
            VNINTS_REG => self.set(offset, self.get(offset) & !value),
            _ if (0..HW_BUFFER_NUM).any(|slot| VNMB_REG(slot) == offset) => {
                self.set(offset, value & !HW_BUFFER_MASK);
            }
            _ => self.set(offset, value),
        }
        self.update_capture_active();
    }
}

/// The register block of one device.
pub(super) struct Block {
    state: Mutex<State>,
    changed: Condvar,
    late: AtomicU64,
    absent: AtomicU64,
}

impl Block {
    pub(super) fn new(frame_interval: Duration) -> Block {
        let state = State {
            values: [0; REGISTER_BLOCK_SIZE as usize / 4],
            present: true,
            stalled: false,
            power_off: false,
            frame_interval,
            life: 0,
            in_frame: false,
            mapped: false,
        };
        Block { state: Mutex::new(state), changed: Condvar::new(), late: AtomicU64::new(0), absent: AtomicU64::new(0) }
    }

    pub(super) fn ioremap(self: &Arc<Self>) -> Result<Mmio, Busy> {
        let mut state = self.state.lock();
        if state.mapped {
            return Err(Busy);
        }
        state.mapped = true;
        let mapping = Mapping { block: Arc::clone(self), live: AtomicBool::new(true) };
        Ok(Mmio { pointer: IoPtr { mapping: Arc::new(mapping) } })
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Changes something that the hardware's thread may be waiting for.
    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        self.changed.notify_all();
    }

    /// Waits until something has changed.
    pub(super) fn wait(&self, state: &mut MutexGuard<'_, State>) {
        self.changed.wait(state);
    }

    /// Waits until something has changed or the time has come; whether the time has come.
    pub(super) fn wait_until(&self, state: &mut MutexGuard<'_, State>, time: Instant) -> bool {
        self.changed.wait_until(state, time).timed_out()
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
    block: Arc<Block>,
    /// Changed and read under the block's lock: an access either comes before `iounmap` or is late.
    live: AtomicBool,
}

/// A pointer into the mapped registers (`void __iomem *`): copied freely, and as easily kept too long.
///
/// After the [`Mmio`] it came from is gone, every access through it is a *late access*: it touches
/// no register, reads all ones, is logged, and is counted by
/// [`Vin::late_accesses`](super::Vin::late_accesses).
#[derive(Clone)]
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
        match self.access(offset, "read") {
            Some(state) => state.get(offset),
            None => ALL_ONES,
        }
    }

    /// Writes the register at `offset` (`iowrite32`). Without effect if the device is gone.
    ///
    /// # Panics
    ///
    /// If `offset` is not that of a 32 bit register within the block.
    pub fn write(&self, offset: u32, value: u32) {
        if let Some(mut state) = self.access(offset, "write") {
            state.write(offset, value);
            drop(state);
            self.mapping.block.changed.notify_all();
        }
    }

    /// Whether the mapping is still there; a driver cannot ask this of a real pointer.
    pub fn is_live(&self) -> bool {
        let _state = self.mapping.block.lock();
        self.mapping.live.load(Ordering::Relaxed)
    }

    fn access(&self, offset: u32, what: &str) -> Option<MutexGuard<'_, State>> {
        assert!(
            offset < REGISTER_BLOCK_SIZE && offset.is_multiple_of(4),
            "{what} of a register at {offset:#x}, where there cannot be one"
        );
        let block = &self.mapping.block;
        let state = block.lock();
        if !self.mapping.live.load(Ordering::Relaxed) {
            drop(state);
            block.late.fetch_add(1, Ordering::Relaxed);
            tracing::error!("late access: {what} of {} after iounmap", register_name(offset));
            return None;
        }
        if !state.present {
            block.absent.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(state)
    }
}

/// The mapped registers, as `ioremap` gives them to a driver; dropping it is `iounmap`.
///
/// There is one of it at a time. It belongs to the driver's resources, which unplug hands back to
/// the remover: the drop poisons whatever [`IoPtr`] has been left behind.
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
        let mut state = mapping.block.lock();
        mapping.live.store(false, Ordering::Relaxed);
        state.mapped = false;
    }
}

/// The reset line of a VIN.
pub struct ResetControl {
    block: Arc<Block>,
}

impl ResetControl {
    pub(super) fn new(block: &Arc<Block>) -> ResetControl {
        ResetControl { block: Arc::clone(block) }
    }

    /// Resets the VIN (`reset_control_reset`): its registers have their reset values, and a frame that is on its way
    /// to memory is lost.
    pub fn reset(&self) {
        self.block.change(State::reset);
    }
}
