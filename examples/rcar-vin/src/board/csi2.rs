//! The CSI-2 receiver: between the sensor and the VINs, which get the virtual channels that it lets through.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Busy;
use super::io::{Chip, Mmio, Window};
use super::registers::Block;
use crate::driver::registers::csi2::*;

struct State {
    values: [u32; REGISTER_BLOCK_SIZE as usize / 4],
    present: bool,
}

struct Receiver {
    state: Mutex<State>,
    /// Where the channels go.
    vins: Vec<Arc<Block>>,
}

impl Receiver {
    /// Changes the registers, and tells the VINs what comes of it.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock();
        change(&mut state);
        let channels = state.channels();
        // Under the lock: who is told last is told what is true now.
        for vin in &self.vins {
            vin.change(|vin| vin.channels = channels);
        }
    }
}

impl State {
    fn get(&self, offset: u32) -> u32 {
        self.values[offset as usize / 4]
    }

    /// The virtual channels that come through, a bit each.
    fn channels(&self) -> u32 {
        const RUNNING: u32 = PHYCNT_SHUTDOWNZ | PHYCNT_RSTZ | PHYCNT_ENABLECLK;
        if !self.present || self.get(PHYCNT_REG) & RUNNING != RUNNING || self.get(PHYCNT_REG) & PHYCNT_ENABLE_LANES == 0
        {
            return 0;
        }
        let selected = [self.get(VCDT_REG) & 0xffff, self.get(VCDT_REG) >> 16];
        let enabled = selected.into_iter().filter(|entry| entry & VCDT_VCDTN_EN != 0);
        enabled.fold(0, |channels, entry| channels | 1 << (entry >> VCDT_SEL_VC_SHIFT & 3))
    }
}

impl Chip for Receiver {
    fn size(&self) -> u32 {
        REGISTER_BLOCK_SIZE
    }

    fn register_name(&self, offset: u32) -> &'static str {
        REGISTERS.iter().find(|(at, _)| *at == offset).map_or("reserved", |(_, name)| *name)
    }

    fn read(&self, offset: u32) -> Option<u32> {
        let state = self.state.lock();
        state.present.then(|| state.get(offset))
    }

    fn write(&self, offset: u32, value: u32) -> Option<()> {
        let mut there = None;
        self.change(|state| {
            there = state.present.then(|| match offset {
                SRST_REG if value & SRST_SRST != 0 => state.values.fill(0),
                SRST_REG => {}
                _ => state.values[offset as usize / 4] = value,
            });
        });
        there
    }
}

/// The CSI-2 receiver on its board: what probe gets its resources from, and what a test manipulates.
#[derive(Clone)]
pub struct Csi2Receiver {
    name: &'static str,
    receiver: Arc<Receiver>,
    window: Arc<Window>,
}

impl Csi2Receiver {
    /// A receiver whose channels go to these VINs. It lets none through to begin with.
    pub(super) fn power_on(name: &'static str, vins: Vec<Arc<Block>>) -> Csi2Receiver {
        let state = State { values: [0; REGISTER_BLOCK_SIZE as usize / 4], present: true };
        let receiver = Arc::new(Receiver { state: Mutex::new(state), vins });
        receiver.change(|_| {});
        Csi2Receiver { name, window: Window::new(receiver.clone()), receiver }
    }

    /// The device name, as sysfs shows it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Maps the registers. [`Busy`] while another mapping lives.
    pub fn ioremap(&self) -> Result<Mmio, Busy> {
        self.window.ioremap()
    }

    /// Takes the receiver out without a word, as [`Vin::surprise_remove`](super::Vin::surprise_remove).
    pub fn surprise_remove(&self) {
        self.receiver.change(|state| state.present = false);
    }

    /// Puts it in again, its registers at their reset values.
    pub fn insert(&self) {
        self.receiver.change(|state| {
            if !state.present {
                *state = State { values: [0; REGISTER_BLOCK_SIZE as usize / 4], present: true };
            }
        });
    }

    /// Register accesses through a pointer that outlived `iounmap`. Always a bug of the driver.
    pub fn late_accesses(&self) -> u64 {
        self.window.late_accesses()
    }

    /// Register accesses that found the device gone.
    pub fn absent_accesses(&self) -> u64 {
        self.window.absent_accesses()
    }

    /// Whether it lets the virtual channel through.
    pub fn delivers(&self, channel: u32) -> bool {
        self.receiver.state.lock().channels() & 1 << channel != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver() -> (Csi2Receiver, Mmio) {
        let receiver = Csi2Receiver::power_on("csi2", Vec::new());
        let mmio = receiver.ioremap().unwrap();
        (receiver, mmio)
    }

    fn turn_on(mmio: &Mmio) {
        mmio.write(VCDT_REG, vcdt_entry(1) | vcdt_entry(3) << 16);
        mmio.write(PHYCNT_REG, PHYCNT_ENABLECLK | PHYCNT_ENABLE_LANES | PHYCNT_SHUTDOWNZ | PHYCNT_RSTZ);
    }

    #[test]
    fn the_channels_that_are_selected_come_through_while_it_runs() {
        let (receiver, mmio) = receiver();
        let delivers = || [0, 1, 2, 3].map(|channel| receiver.delivers(channel));
        assert_eq!(delivers(), [false; 4]);
        turn_on(&mmio);
        assert_eq!(delivers(), [false, true, false, true]);
        mmio.write(VCDT_REG, vcdt_entry(2));
        assert_eq!(delivers(), [false, false, true, false]);
        for missing in [PHYCNT_ENABLECLK, PHYCNT_ENABLE_LANES, PHYCNT_SHUTDOWNZ, PHYCNT_RSTZ] {
            turn_on(&mmio);
            mmio.write(PHYCNT_REG, mmio.read(PHYCNT_REG) & !missing);
            assert_eq!(delivers(), [false; 4], "{missing:#x}");
        }
        turn_on(&mmio);
        mmio.write(SRST_REG, 0);
        assert_eq!(delivers(), [false, true, false, true], "no reset");
        mmio.write(SRST_REG, SRST_SRST);
        assert_eq!((delivers(), mmio.read(VCDT_REG)), ([false; 4], 0));
    }

    #[test]
    fn it_may_be_taken_out_and_comes_back_as_new() {
        let (receiver, mmio) = receiver();
        turn_on(&mmio);
        // It is there already.
        receiver.insert();
        assert!(receiver.delivers(1) && receiver.absent_accesses() == 0);
        receiver.surprise_remove();
        assert_eq!((mmio.read(VCDT_REG), receiver.delivers(1)), (u32::MAX, false));
        mmio.write(VCDT_REG, 0);
        assert_eq!(receiver.absent_accesses(), 2);
        receiver.insert();
        assert_eq!((mmio.read(VCDT_REG), receiver.delivers(1)), (0, false));
        turn_on(&mmio);
        assert!(receiver.delivers(1));
    }
}
