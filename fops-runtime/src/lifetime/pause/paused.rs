//! Pausing a device.
extern crate std;

use super::error::PauseError;
use super::state::Pauser;
use crate::gate;
use crate::lifetime::access::Access;
use crate::lifetime::device_lifetime::DeviceLifetime;
use crate::lifetime::report::Straggler;
use crate::lifetime::state::{Core, Phase};
use crate::op::Op;
use crate::platform;
use crate::wait;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::time::Duration;
use std::vec::Vec;

/// A device that is paused: no section of another thread is at work, and new ones wait.
///
/// It is an [`Access`], so what brings the hardware down and up again runs with it, alone. Sections that this thread opens
/// meanwhile go ahead. Dropping it leaves the device as [`pause_for`](DeviceLifetime::pause_for) found it: running, or left
/// paused. That holds for a panic too.
#[must_use = "the pause ends as soon as this is dropped"]
pub struct Paused<'a, R> {
    /// Dropped by `drop` alone.
    access: ManuallyDrop<Access<'a, R>>,
}

impl<R> DeviceLifetime<R> {
    /// Pauses the device for a reset, a suspend or an update of its firmware, as the operation `op`.
    ///
    /// Operations that begin from here on sleep until the pause is over, and those in flight are waited for, for at most
    /// `limit`. An operation that sleeps through the runtime ([`Access::wait_event`], [`Access::wait_fd`]) need not end: it
    /// sleeps on, and asks its condition again after the pause. One that sleeps in another way is waited for, as are owned
    /// sections, [pending](crate::Pending) work and futures. A pause runs no hook of the driver's and no cancellation.
    ///
    /// * A thread that is inside a section of the device may open another one meanwhile.
    /// * A caller that does not want to sleep gets `EAGAIN`, and one that is interrupted `EINTR`: see
    ///   [`Unplugged`](struct@crate::Unplugged). A poll operation says that nothing is ready, and its caller is woken when the
    ///   device goes on. Release waits for that.
    /// * Unplug wins. It ends the sleep of those that wait for the end of the pause. It waits for the [`Paused`] like for any
    ///   section, and names it. Sleepers inside sections answer after that.
    /// * A device that is left [paused](Paused::keep) is taken over at once. Where another thread is at it, this waits.
    ///
    /// A pause is of one device. Subdevs go on, unless they are paused too: parents first.
    ///
    /// ```
    /// use fops_runtime::DeviceLifetime;
    /// use fops_runtime::op::op;
    /// use std::time::Duration;
    ///
    /// let lifetime = DeviceLifetime::new(String::from("registers"));
    /// std::thread::scope(|s| {
    ///     let paused = lifetime.pause_for(op!("reset"), Duration::from_secs(1)).unwrap();
    ///     let reader = s.spawn(|| lifetime.enter(op!("read")).map(|access| access.len())); // sleeps
    ///     assert_eq!(**paused, "registers");
    ///     drop(paused);
    ///     assert_eq!(reader.join().unwrap(), Ok(9));
    /// });
    /// ```
    ///
    /// # Errors
    /// [`PauseError::Busy`] with what is still at work after `limit`; [`PauseError::Deadlock`] when the thread is inside a
    /// section of the device; [`PauseError::Unplugged`]; [`PauseError::FenceRefused`]. The device goes on as before.
    pub fn pause_for(&self, op: &'static Op, limit: Duration) -> Result<Paused<'_, R>, PauseError> {
        let slot = self.core.pause(op, limit)?;
        Ok(Paused { access: ManuallyDrop::new(Access::opened(self, slot, op)) })
    }

    /// Whether the device is paused now, by somebody or [left](Paused::keep) so.
    pub fn is_paused(&self) -> bool {
        self.core.is_paused()
    }
}

impl<R> Paused<'_, R> {
    /// Leaves the device paused, with nobody at it: suspended. The next [`pause_for`](DeviceLifetime::pause_for) takes it
    /// over, and may [resume](Self::resume) it.
    ///
    /// Unplug does not wait for such a device: all its sleepers answer at once.
    ///
    /// ```
    /// use fops_runtime::DeviceLifetime;
    /// use fops_runtime::op::op;
    /// use std::time::Duration;
    ///
    /// let (lifetime, limit) = (DeviceLifetime::new("registers"), Duration::from_secs(1));
    /// lifetime.pause_for(op!("suspend"), limit).unwrap().keep();
    /// assert!(lifetime.is_paused());
    /// lifetime.pause_for(op!("resume"), limit).unwrap().resume();
    /// assert!(!lifetime.is_paused());
    /// ```
    pub fn keep(self) {
        self.leave(true);
    }

    /// Ends the pause, even of a device that was left paused: the operations go on.
    pub fn resume(self) {
        self.leave(false);
    }

    fn leave(self, is_left: bool) {
        self.access.core().cold().lock().pause.is_left = is_left;
    }
}

impl<'a, R> Deref for Paused<'a, R> {
    type Target = Access<'a, R>;

    fn deref(&self) -> &Access<'a, R> {
        &self.access
    }
}

impl<R> Drop for Paused<'_, R> {
    fn drop(&mut self) {
        let core = self.access.core();
        core.end_pause();
        // The section ends last: unplug waits for all of this.
        // SAFETY: here alone, and the access is not used after it.
        unsafe { ManuallyDrop::drop(&mut self.access) }
    }
}

impl<R> fmt::Debug for Paused<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Paused").field(&*self.access).finish()
    }
}

/// Gives the pause up when it comes to nothing, on unwinding too.
struct Pausing<'c>(&'c Core);

impl Drop for Pausing<'_> {
    fn drop(&mut self) {
        self.0.end_pause();
    }
}

impl Core {
    /// Pauses the device. Returns the section of the pauser.
    fn pause(&self, op: &'static Op, limit: Duration) -> Result<gate::Slot, PauseError> {
        if self.gate.is_entered_here() {
            return Err(PauseError::Deadlock);
        }
        let began = platform::now();
        let waited = || began.map_or(Duration::ZERO, platform::elapsed);
        self.take_pause(limit, &waited)?;
        let pausing = Pausing(self);
        // Without the fence a section may be missed.
        if platform::needed_step("fence of a pause") && !gate::heavy_fence() {
            return Err(PauseError::FenceRefused);
        }
        let number = self.gate.number();
        // They park.
        wait::wake_sections(|device| device == number);
        let nested = || self.cold().lock().pause.nested;
        let is_alone = self.gate.drain_for_pause(nested, limit.saturating_sub(waited()));
        let mut cold = self.cold().lock();
        if cold.phase != Phase::Plugged {
            return Err(PauseError::Unplugged);
        }
        if !is_alone {
            drop(cold);
            return Err(self.busy(waited()));
        }
        // Under the lock: unplug sets its flag later, and sees the section.
        let slot = self.gate.enter_nested(op, false).ok_or(PauseError::Unplugged)?;
        if let Some(pauser) = &mut cold.pause.pauser {
            pauser.is_alone = true;
        }
        core::mem::forget(pausing);
        Ok(slot)
    }

    /// Sets the flag, when no other thread pauses the device.
    fn take_pause(&self, limit: Duration, waited: &impl Fn() -> Duration) -> Result<(), PauseError> {
        loop {
            // Read before the look: a pause that ends in between makes the sleep return at once.
            let seen = gate::pause_event();
            let mut cold = self.cold().lock();
            if cold.phase != Phase::Plugged {
                return Err(PauseError::Unplugged);
            }
            if cold.pause.pauser().is_none() {
                let thread = platform::thread_id();
                cold.pause.pauser = Some(Pauser { thread, forks: platform::forks(), is_alone: false });
                wait::begin_pause(self.gate.number(), thread);
                self.gate.pause();
                return Ok(());
            }
            drop(cold);
            let left = limit.saturating_sub(waited());
            if left.is_zero() {
                return Err(self.busy(waited()));
            }
            gate::wait_for_pauses(seen, left);
        }
    }

    /// Ends the pause of this thread, unless the device is to be left paused.
    fn end_pause(&self) {
        // What was done during the pause comes before what sections do next: see `gate::pause`. It was granted before.
        let _ = platform::needed_step("fence of a resume") && gate::heavy_fence();
        let mut cold = self.cold().lock();
        self.give_up_pause(&mut cold);
        drop(cold);
        self.wake_paused();
    }

    /// The sections that a pause waits for.
    fn busy(&self, waited: Duration) -> PauseError {
        let sections = self.gate.sections().filter(|section| !section.parked);
        PauseError::Busy(sections.map(|section| Straggler::section(section, Some(waited))).collect::<Vec<_>>())
    }
}
