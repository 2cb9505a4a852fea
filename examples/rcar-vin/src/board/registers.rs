//! The registers of the VIN, shared by the driver's mapping and the hardware behind it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::io::Chip;
use crate::driver::registers::vin::*;

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
    /// The virtual channels that the CSI-2 receiver delivers, a bit each; all of them where there is no receiver.
    pub(super) channels: u32,
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

    /// Whether there is something to capture: the receiver delivers the channel that is selected.
    pub(super) fn fed(&self) -> bool {
        !self.stalled && self.channels & 1 << (self.get(VNCSI_IFMD_REG) & VNCSI_IFMD_CSI_CHSEL_MASK) != 0
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
            channels: u32::MAX,
        };
        Block { state: Mutex::new(state), changed: Condvar::new() }
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
}

impl Chip for Block {
    fn size(&self) -> u32 {
        REGISTER_BLOCK_SIZE
    }

    fn register_name(&self, offset: u32) -> &'static str {
        register_name(offset)
    }

    fn read(&self, offset: u32) -> Option<u32> {
        let state = self.lock();
        state.present.then(|| state.get(offset))
    }

    fn write(&self, offset: u32, value: u32) -> Option<()> {
        let mut state = self.lock();
        if !state.present {
            return None;
        }
        state.write(offset, value);
        drop(state);
        self.changed.notify_all();
        Some(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_is_raised_for_what_is_listened_to() {
        let block = Block::new(Duration::from_secs(1));
        let mut state = block.lock();
        assert!(!state.add_events(VNINTS_EFS), "nobody listens");
        state.write(VNIE_REG, VNIE_VFE);
        assert!(!state.add_events(VNINTS_EFS));
        assert!(state.add_events(VNINTS_VFS));
        state.write(VNINTS_REG, VNINTS_VFS);
        assert_eq!(state.get(VNINTS_REG), VNINTS_EFS, "acknowledged by writing");
        let status = state.get(VNMS_REG);
        state.write(VNMS_REG, !status);
        assert_eq!(state.get(VNMS_REG), status, "the hardware's own");
    }

    #[test]
    fn only_the_channel_that_is_selected_feeds_it() {
        let block = Block::new(Duration::from_secs(1));
        let mut state = block.lock();
        for (channels, fed) in [(0b10, [false, true, false]), (0b101, [true, false, true]), (0, [false; 3])] {
            state.channels = channels;
            let seen = [0, 1, 2].map(|channel| {
                state.set(VNCSI_IFMD_REG, VNCSI_IFMD_DES1 | channel);
                state.fed()
            });
            assert_eq!(seen, fed, "{channels:#b}");
        }
        state.channels = u32::MAX;
        state.stalled = true;
        assert!(!state.fed());
    }
}
