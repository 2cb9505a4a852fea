//! What a lifetime is beside its resources: the gate, and the state that only unplug and sleepers look at.
use super::cancel::Cancellations;
use super::cause::Cause;
use super::notes::Notes;
use super::record::Record;
use super::starts::Starts;
use super::unplugged::Unplugged;
use crate::gate::{Gate, Slot};
use crate::op::{Op, Policy};
use crate::platform::atomic::{AtomicU64, Ordering::Relaxed};
use crate::platform::{self, Instant, Lazy, Lock};
use core::mem::ManuallyDrop;

/// The part of a lifetime that does not depend on the type of the resources.
pub(super) struct Core {
    pub(super) gate: Gate,
    /// Dropped by `drop` alone.
    rare: ManuallyDrop<Lazy<Rare>>,
}

/// Out of line, and compiled once: what is dropped here must not crowd the registers where sections open and end.
impl Drop for Core {
    #[inline(never)]
    fn drop(&mut self) {
        // SAFETY: here alone, and nothing comes after it.
        unsafe { ManuallyDrop::drop(&mut self.rare) }
    }
}

/// What operations do not touch.
struct Rare {
    cold: Lock<Cold>,
    /// How many sections were refused. Relaxed: nothing is read because of it.
    refused: AtomicU64,
    /// Callers that sleep in poll on one of the device's files.
    #[cfg(feature = "std")]
    pollers: crate::wait::WaitQueue,
    /// Callers whose section opens when the device is no longer paused.
    #[cfg(feature = "std")]
    resumed: crate::wait::WaitQueue,
}

impl Default for Rare {
    fn default() -> Self {
        Self {
            cold: Lock::new(Cold::new()),
            refused: AtomicU64::new(0),
            #[cfg(feature = "std")]
            pollers: crate::wait::WaitQueue::new(),
            #[cfg(feature = "std")]
            resumed: crate::wait::WaitQueue::new(),
        }
    }
}

/// What only unplug and sleepers look at.
pub(super) struct Cold {
    pub(super) phase: Phase,
    /// Who has the remover's role.
    pub(super) remover: Option<Remover>,
    /// An unplug that has set the flag and has no role yet.
    pub(super) asker: Option<Remover>,
    /// When the flag was set.
    pub(super) since: Option<Instant>,
    /// What this unplug has done, from the flag on.
    pub(super) record: Option<Record>,
    /// Why: the worst cause that anybody gave, even if nobody unplugs it yet.
    pub(super) cause: Option<Cause>,
    /// The role under which an unplug named this device last, to notice one that is named twice.
    pub(super) named_by: u64,
    /// The role under which the flag was set.
    pub(super) flagged_by: u64,
    /// The role under which the fence is passed that follows the flag.
    pub(super) fenced_by: u64,
    /// The stop hook has been called.
    pub(super) stopped: bool,
    /// The wake hook asks to be called again.
    pub(super) wakes_again: bool,
    /// The driver's code that unplugs are running, which they may hang in, and the roles that they wait for.
    pub(super) notes: Notes,
    pub(super) cancellations: Cancellations,
    /// The starts of the hardware that are running.
    pub(super) starts: Starts,
    /// The device is paused, or is to be.
    #[cfg(feature = "std")]
    pub(super) pause: super::pause::Pause,
    /// Readable once unplug has begun, where somebody asked for it.
    #[cfg(all(feature = "std", target_os = "linux"))]
    pub(super) unplug_fd: Option<super::unplug_fd::UnplugFd>,
}

/// The remover's role for the devices of one unplug: a number that no other unplug has.
pub struct Role(pub(super) u64);

impl Role {
    pub(super) fn new() -> Self {
        Self(platform::next_number())
    }
}

/// The holder of the remover's role.
#[derive(Clone, Copy)]
pub(super) struct Remover {
    /// Unique among all roles of the process, and never 0.
    pub(super) role: u64,
    pub(super) holder: Holder,
}

/// A thread, or a task between two polls.
#[derive(Clone, Copy)]
pub(super) struct Holder {
    /// The thread, or the one that has polled the task last; 0 where threads cannot be told apart.
    pub(super) thread: u64,
    pub(super) is_task: bool,
}

impl Holder {
    /// Whether `asks` would wait for itself if it waited for this one: where the thread has the role, or is the one that
    /// polls the task which has it. A task may wait for another task of its thread. Where threads cannot be told apart (0),
    /// a second unplug is another thread's.
    pub(super) const fn would_wait_for_itself(self, asks: Self) -> bool {
        self.thread == asks.thread && self.thread != 0 && !(self.is_task && asks.is_task)
    }

    /// The thread for reports: a task has none.
    pub(super) const fn named(self) -> u64 {
        if self.is_task { 0 } else { self.thread }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Plugged,
    /// The flag is set, but no fence has followed under the remover's role: sections may be open that nobody sees.
    Unfenced,
    /// The flag is set and the fence has followed; sections may be in flight.
    Unplugging,
    /// The resources have been handed back.
    Gone,
}

impl Cold {
    const fn new() -> Self {
        Self {
            phase: Phase::Plugged,
            remover: None,
            asker: None,
            since: None,
            record: None,
            cause: None,
            named_by: 0,
            flagged_by: 0,
            fenced_by: 0,
            stopped: false,
            wakes_again: false,
            notes: Notes::new(),
            cancellations: Cancellations::new(),
            starts: Starts::new(),
            #[cfg(feature = "std")]
            pause: super::pause::Pause::new(),
            #[cfg(all(feature = "std", target_os = "linux"))]
            unplug_fd: None,
        }
    }
}

impl Cold {
    pub(super) fn is_held_by(&self, role: &Role) -> bool {
        self.remover.is_some_and(|remover| remover.role == role.0)
    }
}

impl Core {
    pub(super) fn new() -> Self {
        Self { gate: Gate::new(), rare: ManuallyDrop::new(Lazy::new()) }
    }

    pub(super) fn cold(&self) -> &Lock<Cold> {
        &self.rare.get().cold
    }

    /// The phase, for whoever owns the lifetime: it takes no lock, and makes no state.
    pub(super) fn phase_mut(&mut self) -> Phase {
        self.rare.get_mut().map_or(Phase::Plugged, |rare| rare.cold.get_mut().phase)
    }

    #[cfg(feature = "std")]
    pub(super) fn pollers(&self) -> &crate::wait::WaitQueue {
        &self.rare.get().pollers
    }

    #[cfg(feature = "std")]
    pub(super) fn resumed(&self) -> &crate::wait::WaitQueue {
        &self.rare.get().resumed
    }

    /// Why the device is unplugged, once unplug has begun.
    pub(super) fn cause(&self) -> Option<Cause> {
        let cold = self.cold().lock();
        cold.cause.filter(|_| cold.phase != Phase::Plugged)
    }

    /// Keeps the worse of two causes, for an unplug that is under way or to come.
    pub(super) fn escalate(&self, cause: Cause) {
        let mut cold = self.cold().lock();
        cold.cause = cold.cause.max(Some(cause));
    }

    /// Counts a section that was refused. It is told as what the caller answers.
    #[cold]
    #[inline(never)]
    pub(super) fn refuse(&self, op: &'static Op) -> Unplugged {
        // One that runs all the same was not refused.
        if op.policy() != Policy::Always {
            self.rare.get().refused.fetch_add(1, Relaxed);
        }
        Unplugged
    }

    pub(super) fn refused(&self) -> u64 {
        self.rare.get().refused.load(Relaxed)
    }

    /// Ends the section in `slot`.
    #[inline(always)]
    pub(super) fn leave(&self, slot: Slot) {
        #[cfg(feature = "tracing")]
        super::trace::closing(&slot);
        self.gate.exit(slot);
    }
}
