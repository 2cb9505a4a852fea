//! The gate of one device: lets sections in and out, closes, and waits until the last one is out.
//!
//! The rest of the crate knows this much of it: [`Gate::enter`] is given the operation's descriptor and returns the
//! [`Slot`] in which the section stands until [`Gate::exit`]; the slots name what is in flight.
mod entry;
#[cfg(any(feature = "std", loom))]
mod fence;
#[cfg(any(feature = "std", loom))]
mod local;
#[cfg(not(any(feature = "std", loom)))]
mod shared;

use crate::Op;
use crate::platform;
use crate::platform::atomic::{AtomicU32, AtomicUsize, Ordering};
use core::time::Duration;
use entry::{Entry, tag};
#[cfg(any(feature = "std", loom))]
use local as slots;
#[cfg(not(any(feature = "std", loom)))]
use shared as slots;
#[cfg(not(any(feature = "std", loom)))]
use shared::fence;

#[cfg(any(feature = "std", loom))]
pub use fence::{FenceKind, kind as fence_kind};

/// Passed between [`Gate::close`], of one gate or many, and the first look at the slots. `false` when the system
/// refuses it: then a section may be open that no look shows.
#[must_use = "without the fence, nothing may be freed"]
pub(crate) fn heavy_fence() -> bool {
    fence::heavy()
}

/// # Invariants
/// `number` is unique among all gates of the process, less than 2^63, and never 0.
pub(crate) struct Gate {
    number: u64,
    /// 0 until unplug begins, 1 from then on.
    closed: AtomicU32,
    /// Changes whenever a section of a closed gate ends, and on [`Gate::signal`].
    event: AtomicU32,
    /// Sections that found no free slot: counted, without a name. Only where slots are few.
    unnamed: AtomicUsize,
}

/// Where a section stands: a slot; or only counted, where there was none.
#[must_use = "the section stays open until the slot is cleared"]
pub(crate) struct Slot(Option<&'static Entry>);

#[cfg(feature = "tracing")]
impl Slot {
    /// Tells the section from all others that are open.
    pub(crate) fn key(&self) -> usize {
        self.0.map_or(0, |entry| core::ptr::from_ref(entry).addr())
    }
}

/// A section in flight.
#[derive(Clone, Copy)]
pub(crate) struct Section {
    pub(crate) op: &'static Op,
    /// The thread that opened it.
    pub(crate) thread: u64,
    /// Whether it may live on another thread by now.
    pub(crate) owned: bool,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            // INVARIANT: 2^63 gates are not made in the life of a process.
            number: platform::next_number(),
            closed: AtomicU32::new(0),
            event: AtomicU32::new(0),
            unnamed: AtomicUsize::new(0),
        }
    }

    /// Tells this device from every other, past and to come.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Opens a section, or `None` once the gate is closed. With `owned`, it may end on another thread.
    #[inline]
    pub(crate) fn enter(&self, op: &'static Op, owned: bool) -> Option<Slot> {
        #[cfg(any(feature = "std", loom))]
        if let Some(entry) = local::fast() {
            entry.open(tag(self.number, owned), op);
            fence::light_asymmetric();
            // Acquire: what the remover did before it set the flag is seen by who is refused.
            if self.closed.load(Ordering::Acquire) == 0 {
                return Some(Slot(Some(entry)));
            }
            return self.refuse(Slot(Some(entry)));
        }
        self.enter_slowly(op, owned)
    }

    #[cold]
    #[inline(never)]
    fn enter_slowly(&self, op: &'static Op, owned: bool) -> Option<Slot> {
        if self.is_closed() {
            return None;
        }
        let slot = Slot(slots::claim(tag(self.number, owned), op));
        if slot.0.is_none() {
            // SeqCst, as everything about this counter: it needs no fence.
            self.unnamed.fetch_add(1, Ordering::SeqCst);
        }
        fence::light();
        if self.closed.load(Ordering::SeqCst) == 0 { Some(slot) } else { self.refuse(slot) }
    }

    /// The gate turned out to be closed. The drain may have seen the slot and be asleep: leave as a section that
    /// ends does.
    #[cold]
    #[inline(never)]
    fn refuse(&self, slot: Slot) -> Option<Slot> {
        self.exit(slot);
        None
    }

    /// Ends the section.
    #[inline]
    pub(crate) fn exit(&self, slot: Slot) {
        let Some(entry) = slot.0 else { return self.exit_unnamed() };
        entry.clear();
        fence::light_at_exit();
        // Relaxed: nothing is read on the strength of it; the event word has its own order.
        if self.closed.load(Ordering::Relaxed) != 0 {
            self.signal();
        }
    }

    #[cold]
    fn exit_unnamed(&self) {
        self.unnamed.fetch_sub(1, Ordering::SeqCst);
        if self.closed.load(Ordering::SeqCst) != 0 {
            self.signal();
        }
    }

    /// Refuses new sections from here on; some that do not know it yet are seen after the [`heavy_fence`].
    pub(crate) fn close(&self) {
        self.closed.store(1, Ordering::SeqCst);
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst) != 0
    }

    /// What [`Gate::wait_event`] is to be given, read before looking at what one waits for.
    pub(crate) fn event(&self) -> u32 {
        // Acquire pairs with the release in `signal`.
        self.event.load(Ordering::Acquire)
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
        self.event.fetch_add(1, Ordering::AcqRel);
        platform::wake_all(&self.event);
        #[cfg(feature = "async")]
        crate::wait::wake_tasks(self.number);
    }

    /// Waits until no section of the closed gate is left, or for `timeout`. Whether none is.
    ///
    /// One walk is enough: a slot that was seen without the device after the gate was closed is done with, since
    /// whoever comes later is refused.
    pub(crate) fn drain(&self, timeout: Option<Duration>) -> bool {
        let began = platform::now();
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
        slots::entries().all(|entry| wait_while(&|| entry.section_of(self.number).is_some()))
            && wait_while(&|| self.unnamed.load(Ordering::SeqCst) != 0)
    }

    /// The sections in flight, one after the other; those that come and go meanwhile may be missed.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> + use<> {
        slots::sections(self.number)
    }

    /// How many more are in flight than [`Gate::sections`] can name.
    pub(crate) fn unnamed(&self) -> usize {
        self.unnamed.load(Ordering::SeqCst)
    }

    /// Whether the current thread is inside a section of this device that it cannot have given away.
    pub(crate) fn is_entered_here(&self) -> bool {
        let here = platform::thread_id();
        here != 0 && self.sections().any(|section| section.thread == here && !section.owned)
    }
}

/// Whether the thread is inside a section of one of `devices`.
#[cfg(feature = "std")]
pub(crate) fn is_inside(thread: u64, devices: &[u64]) -> bool {
    devices.iter().any(|&device| slots::sections(device).any(|section| section.thread == thread && !section.owned))
}
