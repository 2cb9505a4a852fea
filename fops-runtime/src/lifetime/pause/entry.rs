//! Sections that find the device paused.
extern crate std;

use crate::gate::Slot;
use crate::lifetime::state::Core;
use crate::lifetime::unplugged::Unplugged;
use crate::op::{Op, Policy};
use crate::wait::{self, Request, WaitError};

impl Core {
    /// Opens a section that the gate has refused at first, when the pause is over; at once if the thread is inside the device
    /// already, because the pause waits for that.
    #[cold]
    #[inline(never)]
    pub(in crate::lifetime) fn enter_late(&self, op: &'static Op, owned: bool) -> Result<Slot, Unplugged> {
        loop {
            if self.gate.is_closed() {
                return Err(self.refuse(op));
            }
            if self.gate.is_entered_here() {
                let slot = self.gate.enter_nested(op, owned).ok_or_else(|| self.refuse(op))?;
                // After the slot is taken: see `gate::pause`.
                self.cold().lock().pause.nested += 1;
                return Ok(slot);
            }
            self.wait_until_resumed(op)?;
            if let Some(slot) = self.gate.enter(op, owned) {
                return Ok(slot);
            }
        }
    }

    fn wait_until_resumed(&self, op: &'static Op) -> Result<(), Unplugged> {
        let sleep = || {
            let is_over = |_: &mut ()| (!self.is_paused()).then_some(());
            wait::wait_with(self.resumed(), || self.gate.is_closed(), &mut (), is_over, |(), sleep| sleep())
        };
        let result = if matches!(op.policy(), Policy::Always) {
            // The caller has closed its file: nobody would release it later.
            Request::new(Request::current().client()).run(sleep)
        } else if wait::is_nonblocking() {
            return if self.is_paused() { Err(Unplugged::WOULD_BLOCK) } else { Ok(()) };
        } else {
            sleep()
        };
        result.map_err(|error| match error {
            WaitError::Interrupted => Unplugged::INTERRUPTED,
            // Of this device, or of another one that the thread is inside a section of.
            _ => self.refuse(op),
        })
    }
}
