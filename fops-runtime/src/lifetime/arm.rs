//! Starts of the hardware, each wholly before the stop hook or not at all.
//!
//! # Why it is right
//! A start is counted under the device's lock, if the flag is not set there. So every start that is counted when the flag is
//! set was there before, and none comes later. Unplug calls the stop hook when the count is 0; what those starts did comes
//! before, because the count is changed under the lock.
use super::access::Access;
use super::notes::Note;
use super::state::{Core, Phase};
use super::unplugged::Unplugged;
use super::work::Work;
use crate::platform;

impl<R> Access<'_, R> {
    /// Runs `start`, which turns on what the stop hook turns off: a stream, a timer, an interrupt.
    ///
    /// The stop hook runs while operations are inside. One of them that came to its start later would turn the hardware on
    /// again, and the resources would be handed back with DMA running. So a start that comes behind the beginning of unplug
    /// is refused, and the stop hook is called when no start is running any more.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug, Unplugged};
    /// use fops_runtime::op::op;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// let lifetime = DeviceLifetime::new(AtomicBool::new(false)); // whether the DMA runs
    /// let access = lifetime.enter(op!("streamon")).unwrap();
    /// assert_eq!(access.arm(|| access.store(true, Ordering::Relaxed)), Ok(()));
    /// std::thread::scope(|s| {
    ///     s.spawn(|| lifetime.alone().unplug(Cause::Unbind).unwrap());
    ///     while !access.is_unplugged() {
    ///         std::thread::yield_now();
    ///     }
    ///     assert_eq!(access.arm(|| unreachable!("the stop hook may have run")), Err::<(), _>(Unplugged));
    ///     drop(access);
    /// });
    /// ```
    ///
    /// Unplug waits for `start` before it stops the device, and the [report](crate::Unplug::report) names it. It may sleep
    /// through the runtime, which unplug ends, and take locks that the stop hook takes. It must not wait for what only the
    /// driver's wake hook brings: that one is called after the stop hook.
    ///
    /// # Errors
    /// [`Unplugged`](struct@Unplugged) once unplug has begun; `start` has not run then.
    pub fn arm<T>(&self, start: impl FnOnce() -> T) -> Result<T, Unplugged> {
        self.core().arm(start)
    }
}

#[cfg(feature = "std")]
impl<R> super::owned::OwnedAccess<R> {
    /// As [`Access::arm`].
    ///
    /// # Errors
    /// As there.
    pub fn arm<T>(&self, start: impl FnOnce() -> T) -> Result<T, Unplugged> {
        self.lifetime().core.arm(start)
    }
}

/// A start that is running, on unwinding too.
struct Started<'a> {
    core: &'a Core,
    key: u64,
    forks: u64,
}

impl Core {
    fn arm<T>(&self, start: impl FnOnce() -> T) -> Result<T, Unplugged> {
        let key = platform::next_number();
        let mut cold = self.cold().lock();
        if cold.phase != Phase::Plugged {
            return Err(Unplugged);
        }
        *cold.starts.count() += 1;
        cold.notes.put(Note { key, work: Work::Start, thread: platform::thread_id() });
        let _started = Started { core: self, key, forks: cold.starts.forks };
        drop(cold);
        Ok(start())
    }

    /// Sleeps until no start is running. None begins, since the flag is set.
    pub(super) fn wait_for_starts(&self) {
        while platform::needed_step("wait for starts") {
            // Read before the count: a start that ends in between makes the sleep return at once.
            let seen = self.gate.event();
            if *self.cold().lock().starts.count() == 0 {
                return;
            }
            self.gate.wait_event(seen, None);
        }
    }
}

impl Drop for Started<'_> {
    fn drop(&mut self) {
        let mut cold = self.core.cold().lock();
        cold.notes.remove(self.key);
        let is_waited_for = cold.phase != Phase::Plugged;
        let count = cold.starts.count();
        // A fork in the middle of a start: the child has counted none.
        *count = count.saturating_sub((self.forks == platform::forks()) as usize);
        drop(cold);
        if is_waited_for {
            self.core.gate.signal();
        }
    }
}
