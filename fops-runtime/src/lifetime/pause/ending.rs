//! How a pause ends.
use crate::lifetime::state::{Cold, Core, Phase};
use crate::wait;

impl Core {
    /// Whether sections have to wait. Ends a pause whose thread a forked child does not have.
    pub(super) fn is_paused(&self) -> bool {
        if !self.gate.is_paused() {
            return false;
        }
        let mut cold = self.cold().lock();
        if cold.pause.pauser.is_some() && cold.pause.pauser().is_none() {
            self.give_up_pause(&mut cold);
        }
        self.gate.is_paused()
    }

    /// There is no pauser any more. The caller wakes those who wait, without the lock.
    pub(super) fn give_up_pause(&self, cold: &mut Cold) {
        cold.pause.pauser = None;
        // A device that is being unplugged is left by nobody.
        if cold.pause.is_left && cold.phase == Phase::Plugged {
            wait::begin_pause(self.gate.number(), wait::NOBODY);
            return;
        }
        cold.pause.is_left = false;
        self.gate.resume();
        wait::end_pause(self.gate.number());
    }

    /// Wakes those who wait for the end of a pause.
    pub(super) fn wake_paused(&self) {
        let number = self.gate.number();
        crate::gate::signal_pauses();
        wait::wake_sections(|device| device == number);
        self.resumed().wake_all();
        self.pollers().wake_all();
    }

    /// Unplug has begun: it ends a pause that nobody is at, so sleepers inside sections answer. A pauser that is alone ends
    /// it itself, and unplug waits for that. Those who wait for the end of the pause answer in either case.
    pub(in crate::lifetime) fn end_pause_at_unplug(&self) {
        let mut cold = self.cold().lock();
        if !self.gate.is_paused() {
            return;
        }
        match cold.pause.pauser() {
            Some(pauser) if pauser.is_alone => {}
            // It waits for sections, and gives up.
            Some(_) => wait::end_pause(self.gate.number()),
            None => self.give_up_pause(&mut cold),
        }
        drop(cold);
        crate::gate::signal_pauses();
        self.resumed().wake_all();
    }

    /// The lifetime ends: nobody is inside.
    pub(in crate::lifetime) fn forget_pause(&self) {
        if self.gate.is_paused() {
            wait::end_pause(self.gate.number());
        }
    }
}
