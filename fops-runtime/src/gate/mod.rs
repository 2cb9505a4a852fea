//! The gate of one device: counts sections in and out, closes, and waits until the last one is out.
//!
//! The rest of the crate knows this much of it: [`Gate::enter`] is given the operation's descriptor and
//! returns the [`Slot`] in which the section stands until [`Gate::exit`]; the slots name what is in flight.
mod slots;

use crate::Op;
use crate::platform;
use core::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use core::time::Duration;
#[cfg(feature = "std")]
pub(crate) use slots::is_inside;
pub(crate) use slots::{Section, Slot};

/// # Invariants
/// `number` is unique among all gates of the process and never 0.
pub(crate) struct Gate {
    number: u64,
    /// 0 until unplug begins, 1 from then on.
    closed: AtomicU32,
    /// Changes whenever a section of a closed gate ends, and on [`Gate::signal`].
    event: AtomicU32,
    /// Sections that found no free slot: counted, without a name.
    unnamed: AtomicUsize,
}

impl Gate {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        // INVARIANT: 2^64 gates are not made in the life of a process.
        Self {
            number: NEXT.fetch_add(1, SeqCst),
            closed: AtomicU32::new(0),
            event: AtomicU32::new(0),
            unnamed: AtomicUsize::new(0),
        }
    }

    /// Tells this device from every other, past and to come.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Opens a section, or `None` once the gate is closed.
    #[inline]
    pub(crate) fn enter(&self, op: &'static Op) -> Option<Slot> {
        if self.is_closed() {
            return None;
        }
        let slot = slots::claim(self.number, op);
        if slot.is_unnamed() {
            self.unnamed.fetch_add(1, SeqCst);
        }
        // The slot was written before this load, both SeqCst; `close` writes the flag before it looks at the
        // slots, SeqCst too. In the one order of these four, either this load comes after the flag was
        // written and the section is refused, or the slot was written before the drain looks at it, and the
        // drain waits for it.
        if self.closed.load(SeqCst) == 0 {
            Some(slot)
        } else {
            // The drain may have seen the slot and be asleep: leave as a section that ends does.
            self.exit(slot);
            None
        }
    }

    /// Ends the section.
    #[inline]
    pub(crate) fn exit(&self, slot: Slot) {
        if slot.is_unnamed() {
            self.unnamed.fetch_sub(1, SeqCst);
        } else {
            slot.clear();
        }
        // The slot was cleared before this load: either the flag is seen and the drain is woken, or the drain
        // began later and finds the slot clear.
        if self.closed.load(SeqCst) != 0 {
            self.signal();
        }
    }

    /// Refuses new sections from here on.
    pub(crate) fn close(&self) {
        self.closed.store(1, SeqCst);
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(SeqCst) != 0
    }

    /// What [`Gate::wait_event`] is to be given, read before looking at what one waits for.
    pub(crate) fn event(&self) -> u32 {
        self.event.load(SeqCst)
    }

    /// Sleeps until [`Gate::signal`] has run since [`Gate::event`], or for `timeout`. May return early.
    pub(crate) fn wait_event(&self, seen: u32, timeout: Option<Duration>) {
        platform::wait(&self.event, seen, timeout);
    }

    /// Wakes all who sleep in [`Gate::wait_event`].
    pub(crate) fn signal(&self) {
        self.event.fetch_add(1, SeqCst);
        platform::wake_all(&self.event);
    }

    /// Waits until no section of the closed gate is left, or for `timeout`. Whether none is.
    pub(crate) fn drain(&self, timeout: Option<Duration>) -> bool {
        let began = platform::now();
        loop {
            // Read before the slots: a section that ends in between makes the sleep return at once.
            let seen = self.event();
            if self.unnamed.load(SeqCst) == 0 && slots::sections(self.number).next().is_none() {
                return true;
            }
            let elapsed = began.map(platform::elapsed).unwrap_or_default();
            let left = timeout.map(|timeout| timeout.saturating_sub(elapsed));
            if left == Some(Duration::ZERO) {
                return false;
            }
            self.wait_event(seen, left);
            // Without a clock, one sleep is all that a timeout comes to.
            if began.is_none() && timeout.is_some() {
                return self.unnamed.load(SeqCst) == 0 && slots::sections(self.number).next().is_none();
            }
        }
    }

    /// The sections in flight, one after the other; those that come and go meanwhile may be missed.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> + use<> {
        slots::sections(self.number)
    }

    /// How many more are in flight than [`Gate::sections`] can name.
    pub(crate) fn unnamed(&self) -> usize {
        self.unnamed.load(SeqCst)
    }

    /// Whether the current thread is inside a section of this device.
    pub(crate) fn is_entered_here(&self) -> bool {
        let here = platform::thread_id();
        here != 0 && self.sections().any(|section| section.thread == here)
    }
}
