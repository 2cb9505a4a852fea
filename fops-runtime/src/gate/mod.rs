//! The gate of one device: lets sections in and out, closes, and waits until the last one is out.
//!
//! [`Gate::enter`] takes the operation's descriptor and returns the [`Slot`] of the new section. [`Gate::exit`] takes
//! the slot back. [`Gate::sections`] names the sections in flight.
#[cfg(all(loom, test))]
pub(crate) mod models;
#[cfg(feature = "std")]
mod pause;
#[cfg(feature = "std")]
mod pause_event;
#[cfg_attr(not(all(feature = "points", not(loom))), path = "no_points.rs")]
pub(crate) mod points;
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

#[cfg(feature = "std")]
pub(crate) use pause::{go_on, park};
#[cfg(feature = "std")]
pub(crate) use pause_event::{pause_event, signal_pauses, wait_for_pauses};
pub use slots::FenceKind;
pub(crate) use slots::{Section, Slot};

/// The pair of fences in use, chosen at the first call.
///
/// It is asymmetric if the kernel grants `membarrier(2)`, unless the environment has `FOPS_FENCE=symmetric`. Without
/// the `std` feature it is always symmetric.
pub fn fence_kind() -> FenceKind {
    slots::fence_kind()
}

/// Unplug passes it after [`Gate::close`], of one gate or many, and before it looks at the slots. If the system refuses
/// it, this returns `false`, and a section may be open that no look at the slots shows.
#[must_use = "without the fence, nothing may be freed"]
pub(crate) fn heavy_fence() -> bool {
    slots::heavy()
}

/// Sections are refused.
const CLOSED: u32 = 1;
/// Sections need a real fence besides the light one.
const SYMMETRIC: u32 = 2;
/// Sections have to wait: see `pause`.
const PAUSED: u32 = 4;

/// How a section looks at the flag.
///
/// The fences have the order. Either the look sees the flag, or unplug sees the slot. In the second case unplug touches
/// nothing that the section reads until the section has cleared the slot. After a pause, the heavy fence has the order too:
/// see `pause`. A model's heavy fence is one of the thread that passes it, and the acquire stands for what the real one does
/// to the others.
const LOOK: Ordering = if cfg!(loom) { Ordering::Acquire } else { Ordering::Relaxed };

/// # Invariants
/// The device's number in `tag` is unique among all gates of the process, less than 2^63, and never 0.
pub(crate) struct Gate {
    /// A section writes this into its slot. An owned section sets the lowest bit too.
    tag: u64,
    /// 0: sections go ahead. [`CLOSED`] is set when unplug begins. [`SYMMETRIC`] is set from the start or never. [`PAUSED`]
    /// is set during a pause.
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

    /// A number that no other device has, had or will have.
    pub(crate) const fn number(&self) -> u64 {
        number(self.tag)
    }

    /// Opens a section. Returns `None` if the gate is closed or paused. An `owned` section may end on another thread.
    #[inline(always)]
    pub(crate) fn enter(&self, op: &'static Op, owned: bool) -> Option<Slot> {
        let slot = self.open(op, owned);
        slots::light(Edge::Enter);
        if self.state.load(LOOK) == 0 { Some(slot) } else { self.enter_late(slot) }
    }

    /// Opens a section even if the gate is closed, which must not be. For control builds.
    #[cfg(all(fops_controls, feature = "std"))]
    pub(crate) fn enter_anyway(&self, op: &'static Op) -> Slot {
        self.open(op, false)
    }

    #[inline(always)]
    fn open(&self, op: &'static Op, owned: bool) -> Slot {
        slots::open(&self.tally, self.tag | owned as u64, op)
    }

    /// Slow path. If fences are symmetric, issues a real one. If the gate is closed or paused, the drain may already be
    /// sleeping on our slot, so this leaves like a finished section.
    #[cold]
    #[inline(never)]
    fn enter_late(&self, slot: Slot) -> Option<Slot> {
        self.light_if_symmetric(Edge::Enter);
        if self.is(CLOSED | PAUSED) {
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
        // Relaxed: no read depends on it, and the event word has its own order.
        if self.state.load(Ordering::Relaxed) != 0 {
            self.exit_late();
        }
    }

    #[cold]
    #[inline(never)]
    fn exit_late(&self) {
        self.light_if_symmetric(Edge::Exit);
        // Relaxed: as in `exit`.
        let state = self.state.load(Ordering::Relaxed);
        if state & CLOSED != 0 {
            self.signal();
        }
        #[cfg(feature = "std")]
        if state & PAUSED != 0 {
            pause_event::signal_pauses();
        }
    }

    /// If fences are symmetric: the real fence between the write to the slot and the look at the flag.
    fn light_if_symmetric(&self, edge: Edge) {
        // Relaxed: the bit never changes.
        if self.state.load(Ordering::Relaxed) & SYMMETRIC != 0 {
            slots::light_symmetric(edge);
        }
    }

    /// Refuses new sections. A section that did not see the flag in time is visible after the [`heavy_fence`].
    pub(crate) fn close(&self) {
        // Relaxed: the caller holds the device's lock, so no other thread writes to it. Release: a refused caller sees
        // all that came before this store. The heavy fence has the rest of the order.
        let closed = self.state.load(Ordering::Relaxed) | CLOSED;
        self.state.store(closed, platform::needed("release of the flag", Ordering::Release));
    }

    /// If it is, the caller sees what the remover did before it closed the gate.
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.is(CLOSED)
    }

    #[inline]
    fn is(&self, flags: u32) -> bool {
        // Acquire pairs with the release in `close`, and with that at the end of a pause.
        self.state.load(platform::needed("acquire of the flag", Ordering::Acquire)) & flags != 0
    }

    /// The argument for [`Gate::wait_event`]. Read it before you look at the condition that you wait for.
    pub(crate) fn event(&self) -> u32 {
        // Acquire pairs with the release in `signal`: a caller that sees the event sees its reason.
        self.event.load(platform::needed("acquire of the event", Ordering::Acquire))
    }

    /// Sleeps until [`Gate::signal`] has run since [`Gate::event`], or for `timeout`. May return early.
    pub(crate) fn wait_event(&self, seen: u32, timeout: Option<Duration>) {
        platform::wait(&self.event, seen, timeout);
    }

    /// Wakes every thread in [`Gate::wait_event`], and every task that waits for this device.
    #[cold]
    #[inline(never)]
    pub(crate) fn signal(&self) {
        // Release: the condition that others wait for was changed before.
        self.event.fetch_add(1, platform::needed("release of the event", Ordering::Release));
        platform::wake_all(&self.event);
        wakers::wake_tasks(self.number());
    }

    /// [`drain`], of this gate alone.
    #[cfg(all(test, feature = "std"))]
    pub(crate) fn drain(&self, timeout: Option<Duration>) -> bool {
        drain(core::iter::once(self), |number| (number == self.number()).then_some(self), |_| (), timeout)
    }

    /// The sections in flight, one after the other. It may miss a section that begins or ends during the walk.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> + use<> {
        let number = self.number();
        sections(move |device| device == number)
    }

    /// The number of sections in flight that [`Gate::sections`] cannot name.
    pub(crate) fn unnamed(&self) -> usize {
        self.tally.unnamed()
    }

    /// Whether the current thread is inside a section of this device. Owned sections do not count: another thread may have
    /// them by now.
    pub(crate) fn is_entered_here(&self) -> bool {
        is_inside(|device| device == self.number())
    }

    /// The operation whose section of this device the current thread is inside of. Owned sections do not count: another
    /// thread may have them by now.
    pub(crate) fn entered_here(&self) -> Option<&'static Op> {
        if !self.is_entered_here() {
            return None;
        }
        let here = platform::thread_id();
        self.sections().find(|section| section.thread == here && !section.owned).map(|section| section.op)
    }
}

/// Whether the current thread is inside a section of a device that `is_meant`. Owned sections do not count: another
/// thread may have them by now.
pub(crate) fn is_inside(is_meant: impl Fn(u64) -> bool) -> bool {
    slots::is_inside(is_meant)
}

/// The sections in flight of the devices that are meant, as [`Gate::sections`]: one walk for however many devices.
pub(crate) fn sections(is_meant: impl Fn(u64) -> bool) -> impl Iterator<Item = Section> {
    slots::sections(is_meant)
}

/// Waits until no section of these closed gates is left, or for `timeout`. Returns whether none is left.
///
/// `find` is given the number of any device, and returns the gate if it is one of these. `waits` is told of each section
/// that it waits for, one after the other: while it waits for one, others may end, and are not told of.
///
/// One walk is enough, for however many gates. If a slot does not name a device after its gate was closed, no later section
/// puts the device there: the gate refuses it.
pub(crate) fn drain<'g>(
    mut gates: impl Iterator<Item = &'g Gate>,
    find: impl Fn(u64) -> Option<&'g Gate>,
    waits: impl Fn(Section),
    timeout: Option<Duration>,
) -> bool {
    if without(Step::Drain) {
        return true;
    }
    let began = timeout.and_then(|_| platform::now());
    let mut left = timeout;
    let mut wait_while = |busy: &dyn Fn() -> Option<&'g Gate>, section: &dyn Fn() -> Option<Section>| {
        loop {
            let Some(gate) = busy() else { return true };
            section().into_iter().for_each(&waits);
            if left == Some(Duration::ZERO) {
                return false;
            }
            // Read before the second look: a section that ends in between makes the sleep return at once.
            let seen = gate.event();
            if busy().is_none_or(|other| other.number() != gate.number()) {
                continue;
            }
            gate.wait_event(seen, left);
            // Without a clock, a timeout is one sleep.
            let elapsed = began.map_or(Duration::MAX, platform::elapsed);
            left = timeout.map(|timeout| timeout.saturating_sub(elapsed));
        }
    };
    let is_one = |number| find(number).is_some();
    slots::entries().all(|entry| wait_while(&|| find(entry.device()), &|| entry.section_of(is_one, || 0)))
        && gates.all(|gate| wait_while(&|| Some(gate).filter(|gate| gate.unnamed() != 0), &|| None))
}
