//! The gate of one device: lets sections in and out, closes, and waits until the last one is out.
//!
//! The rest of the crate knows this much of it: [`Gate::enter`] is given the operation's descriptor and returns the
//! [`Slot`] in which the section stands until [`Gate::exit`]; the slots name what is in flight.
#[cfg(all(loom, test))]
pub(crate) mod models;
mod slots;
#[cfg(all(test, feature = "std", target_os = "linux", not(loom)))]
mod stress;
pub(crate) mod wakers;

use crate::op::Op;
use crate::platform::atomic::{AtomicU32, Ordering};
use crate::platform::without::{Step, without};
use crate::platform::{self, Edge};
use core::time::Duration;
use slots::{number, tag};

pub use slots::FenceKind;
pub(crate) use slots::{Section, Slot};

/// The pair that is in use, chosen now if it was not yet.
///
/// `membarrier(2)` where the kernel grants it, unless the environment says `FOPS_FENCE=symmetric`. The core alone always
/// has the symmetric pair.
pub fn fence_kind() -> FenceKind {
    slots::fence_kind()
}

/// Passed between [`Gate::close`], of one gate or many, and the first look at the slots. `false` when the system
/// refuses it: then a section may be open that no look shows.
#[must_use = "without the fence, nothing may be freed"]
pub(crate) fn heavy_fence() -> bool {
    slots::heavy()
}

/// Sections are refused.
const CLOSED: u32 = 1;
/// The light fence has to be a real one.
const SYMMETRIC: u32 = 2;

/// # Invariants
/// The device's number in `tag` is unique among all gates of the process, less than 2^63, and never 0.
pub(crate) struct Gate {
    /// What a section that is not an owned one writes into its slot.
    tag: u64,
    /// 0 means that sections go ahead. Else [`CLOSED`], from when unplug begins, or [`SYMMETRIC`], from the start.
    state: AtomicU32,
    /// Changes whenever a section of a closed gate ends, and on [`Gate::signal`].
    event: AtomicU32,
    /// What the slots' backend keeps for this gate.
    tally: slots::Tally,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            // INVARIANT: 2^63 gates are not made in the life of a process.
            tag: tag(platform::next_number(), false),
            state: AtomicU32::new(if slots::is_symmetric() { SYMMETRIC } else { 0 }),
            event: AtomicU32::new(0),
            tally: slots::Tally::new(),
        }
    }

    /// Tells this device from every other, past and to come.
    pub(crate) const fn number(&self) -> u64 {
        number(self.tag)
    }

    /// Opens a section, or `None` once the gate is closed. With `owned`, it may end on another thread.
    #[inline(always)]
    pub(crate) fn enter(&self, op: &'static Op, owned: bool) -> Option<Slot> {
        let slot = self.open(op, owned);
        slots::light(Edge::Enter);
        // Relaxed: the fences have the order. Either this sees the flag, or unplug sees the slot; and then what the
        // section reads is not touched before it has cleared that.
        if self.state.load(Ordering::Relaxed) == 0 { Some(slot) } else { self.enter_late(slot) }
    }

    /// Opens a section, closed or not: what must not be.
    #[cfg(all(fops_controls, feature = "std"))]
    pub(crate) fn enter_anyway(&self, op: &'static Op) -> Slot {
        self.open(op, false)
    }

    #[inline(always)]
    fn open(&self, op: &'static Op, owned: bool) -> Slot {
        slots::open(&self.tally, self.tag | owned as u64, op)
    }

    /// Something is the matter: the light fence has to be a real one, or the gate is closed. In that case the drain may
    /// have seen the slot and be asleep: leave as a section that ends does.
    #[cold]
    #[inline(never)]
    fn enter_late(&self, slot: Slot) -> Option<Slot> {
        self.light_if_symmetric(Edge::Enter);
        if self.is_closed() {
            self.exit(slot);
            return None;
        }
        Some(slot)
    }

    /// Ends the section.
    #[inline(always)]
    pub(crate) fn exit(&self, slot: Slot) {
        slots::clear(&self.tally, slot);
        slots::light(Edge::Exit);
        // Relaxed: nothing is read on the strength of it; the event word has its own order.
        if self.state.load(Ordering::Relaxed) != 0 {
            self.exit_late();
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_late(&self) {
        self.light_if_symmetric(Edge::Exit);
        // Relaxed: as in `exit`.
        if self.state.load(Ordering::Relaxed) & CLOSED != 0 {
            self.signal();
        }
    }

    /// The fence between the write to the slot and the look at the flag that follows, where it has to be a real one.
    fn light_if_symmetric(&self, edge: Edge) {
        // Relaxed: that bit never changes.
        if self.state.load(Ordering::Relaxed) & SYMMETRIC != 0 {
            slots::light_symmetric(edge);
        }
    }

    /// Refuses new sections from here on; some that do not know it yet are seen after the [`heavy_fence`].
    pub(crate) fn close(&self) {
        // Relaxed: nobody else writes to it, since who closes holds the device's lock. Release: who is refused sees what
        // was done before. The heavy fence puts the rest in order.
        let closed = self.state.load(Ordering::Relaxed) | CLOSED;
        self.state.store(closed, platform::needed("release of the flag", Ordering::Release));
    }

    /// Whoever is told so sees what the remover did before.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`.
        self.state.load(platform::needed("acquire of the flag", Ordering::Acquire)) & CLOSED != 0
    }

    /// What [`Gate::wait_event`] is to be given, read before looking at what one waits for.
    pub(crate) fn event(&self) -> u32 {
        // Acquire pairs with the release in `signal`: whoever knows of the event sees what it was about.
        self.event.load(platform::needed("acquire of the event", Ordering::Acquire))
    }

    /// Sleeps until [`Gate::signal`] has run since [`Gate::event`], or for `timeout`. May return early.
    pub(crate) fn wait_event(&self, seen: u32, timeout: Option<Duration>) {
        platform::wait(&self.event, seen, timeout);
    }

    /// Wakes all who sleep in [`Gate::wait_event`].
    #[cold]
    #[inline(never)]
    pub(crate) fn signal(&self) {
        // Release: what is waited for was changed before.
        self.event.fetch_add(1, platform::needed("release of the event", Ordering::Release));
        platform::wake_all(&self.event);
        wakers::wake_tasks(self.number());
    }

    /// Waits until no section of the closed gate is left, or for `timeout`. Whether none is.
    ///
    /// One walk is enough: a slot that was seen without the device after the gate was closed is done with, since
    /// whoever comes later is refused.
    pub(crate) fn drain(&self, timeout: Option<Duration>) -> bool {
        if without(Step::Drain) {
            return true;
        }
        let began = timeout.and_then(|_| platform::now());
        let mut left = timeout;
        let mut wait_while = |busy: &dyn Fn() -> bool| {
            loop {
                // Read before the slot: a section that ends in between makes the sleep return at once.
                let seen = self.event();
                if !busy() {
                    return true;
                }
                if left == Some(Duration::ZERO) {
                    return false;
                }
                self.wait_event(seen, left);
                // Without a clock, one sleep is all that a timeout comes to.
                let elapsed = began.map_or(Duration::MAX, platform::elapsed);
                left = timeout.map(|timeout| timeout.saturating_sub(elapsed));
            }
        };
        slots::entries().all(|entry| wait_while(&|| entry.section_of(self.number()).is_some()))
            && wait_while(&|| self.unnamed() != 0)
    }

    /// The sections in flight, one after the other; those that come and go meanwhile may be missed.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> + use<> {
        slots::sections(self.number())
    }

    /// How many more are in flight than [`Gate::sections`] can name.
    pub(crate) fn unnamed(&self) -> usize {
        self.tally.unnamed()
    }

    /// Whether the current thread is inside a section of this device that it cannot have given away.
    pub(crate) fn is_entered_here(&self) -> bool {
        let here = platform::thread_id();
        here != 0 && is_inside(here, &[self.number()])
    }
}

/// Whether the thread is inside a section of one of `devices` that it cannot have given away.
pub(crate) fn is_inside(thread: u64, devices: &[u64]) -> bool {
    devices.iter().any(|&device| slots::sections(device).any(|section| section.thread == thread && !section.owned))
}
