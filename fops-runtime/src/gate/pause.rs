//! Pauses: sections wait instead of being refused, and those whose thread sleeps through the runtime need not end.
//!
//! # Why it is right
//! A pause sets its flag, passes the heavy fence and looks at the slots, as unplug does. So each section that its drain has
//! not seen sees the flag. It gives its slot back, except where its thread is inside the device already: the drain waits for
//! that thread, so a section inside it goes ahead ([`Gate::enter_nested`]). The drain may have passed the slot of such a
//! section, and the outer one may end first. The caller of [`Gate::drain_for_pause`] counts the nested ones after they have
//! their slot. If the outer one has ended by the look of the drain, the count has changed by the end of its walk, and it
//! walks again.
//!
//! A thread that sleeps through the runtime [parks](park): it marks its sections, which the drain passes over. Before it goes
//! on, it takes the mark away, passes a fence and looks whether there is a pause ([`go_on`]). With the heavy fence of the
//! pause, one of the two sees the other, as when a section opens.
//!
//! What ran during the pause comes before what sections do after it. The pause passes the heavy fence before it clears the
//! flag. A section looks at the flag first and at the resources later. If the fence interrupts its thread between the two or
//! before them, the resources are read after the fence. If it comes later, the look at the flag was before the fence, and so
//! before the flag was cleared.
use super::pause_event::{pause_event, signal_pauses, wait_for_pauses};
use super::{Edge, Gate, PAUSED, Slot, slots};
use crate::op::Op;
use crate::platform::atomic::Ordering;
use crate::platform::{self, needed_fence};
use core::time::Duration;

impl Gate {
    /// Has new sections wait, until [`Gate::resume`]. The caller holds the device's lock, and passes the heavy fence next.
    pub(crate) fn pause(&self) {
        // Relaxed: nobody else writes to it. The heavy fence has the order.
        self.state.store(self.state.load(Ordering::Relaxed) | PAUSED, Ordering::Relaxed);
    }

    /// Lets sections in again. The caller holds the device's lock, and has passed the heavy fence if the resources were
    /// touched meanwhile.
    pub(crate) fn resume(&self) {
        // Relaxed: as above.
        self.state.store(self.state.load(Ordering::Relaxed) & !PAUSED, Ordering::Relaxed);
    }

    /// If it is not, the caller sees what the pause did.
    pub(crate) fn is_paused(&self) -> bool {
        self.is(PAUSED)
    }

    /// Opens a section whether or not the gate is paused. Returns `None` if the gate is closed.
    pub(crate) fn enter_nested(&self, op: &'static Op, owned: bool) -> Option<Slot> {
        let slot = self.open(op, owned);
        slots::light(Edge::Enter);
        self.light_if_symmetric(Edge::Enter);
        if self.is_closed() {
            self.exit(slot);
            return None;
        }
        Some(slot)
    }

    /// Waits until every section of this paused gate has ended or is parked, or the gate is closed, or for `limit`. Returns
    /// whether no section is at work.
    ///
    /// `nested` counts the sections that were opened by [`Gate::enter_nested`]: each has its slot when it is counted.
    pub(crate) fn drain_for_pause(&self, nested: impl Fn() -> u64, limit: Duration) -> bool {
        let began = platform::now();
        let wait_while = |is_busy: &dyn Fn() -> bool| {
            loop {
                // Read before the look: a section that ends in between makes the sleep return at once.
                let seen = pause_event();
                if !is_busy() {
                    return true;
                }
                // Models have no clock, and no limit there.
                let left = began.map_or(limit, |began| limit.saturating_sub(platform::elapsed(began)));
                if left.is_zero() || self.is_closed() {
                    return false;
                }
                wait_for_pauses(seen, left);
            }
        };
        loop {
            let before = nested();
            let number = self.number();
            let is_done = slots::entries().all(|entry| wait_while(&|| entry.is_at_work(number)))
                && wait_while(&|| self.unnamed() != 0);
            if !is_done {
                return false;
            }
            if !platform::needed_step("second walk of a pause") || nested() == before {
                return true;
            }
        }
    }
}

/// This thread sleeps until a pause is over. From here on it touches no resources.
pub(crate) fn park() {
    slots::set_parked(true);
    signal_pauses();
}

/// This thread goes on, unless there is a pause: the caller looks after this, and parks again if there is.
pub(crate) fn go_on() {
    slots::set_parked(false);
    needed_fence("fence of a thread that goes on");
}
