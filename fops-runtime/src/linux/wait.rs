//! Sleeping in a section until a condition holds.
use crate::lifetime::Access;
use crate::platform;
use crate::platform::atomic::{AtomicU32, Ordering};
use core::fmt;

/// Where sections sleep until something changes: `wait_queue_head_t`.
///
/// It is one word, needs no initialisation and may be moved. The kernel's hashed queues (`wait_var_event()`) have the
/// sleepers.
#[derive(Default)]
pub struct WaitQueue {
    /// Changes whenever the queue is woken.
    woken: AtomicU32,
}

/// Why a wait ended without its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError {
    /// The device is being unplugged. Converts into `ENODEV`.
    Unplugged,
    /// A signal has come for the task. Converts into `ERESTARTSYS`.
    Interrupted,
}

impl fmt::Display for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unplugged => "the device is unplugged",
            Self::Interrupted => "interrupted by a signal",
        })
    }
}

impl WaitQueue {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { woken: AtomicU32::new(0) }
    }

    /// Wakes all who sleep on the queue; they look at their condition again.
    ///
    /// Change what they wait for first. May be called from an interrupt handler and with locks held.
    pub fn wake_all(&self) {
        // Release pairs with the acquire in `wait_event`: a sleeper that is woken sees what was changed before.
        self.woken.fetch_add(1, Ordering::Release);
        platform::wake_all(&self.woken);
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue").finish_non_exhaustive()
    }
}

impl<R> Access<'_, R> {
    /// Sleeps until `condition` returns a value, which it is asked for first and whenever `queue` is woken.
    ///
    /// No wake-up is lost: whoever changes what the condition looks at and then wakes the queue has the condition asked
    /// again. After `wait_event_interruptible()` in linux/wait.h. The condition runs without any lock of the runtime's and
    /// may sleep itself. Do not hold a lock that the waker needs.
    ///
    /// # Errors
    /// [`WaitError::Unplugged`] once unplug of this device has begun, whatever the condition would say;
    /// [`WaitError::Interrupted`] when a signal came for the task and the condition returned nothing.
    pub fn wait_event<T>(&self, queue: &WaitQueue, mut condition: impl FnMut() -> Option<T>) -> Result<T, WaitError> {
        let wait = || loop {
            // Read before the condition is asked: a wake-up in between makes the sleep return at once.
            let seen = queue.woken.load(Ordering::Acquire);
            if self.is_unplugged() {
                return Err(WaitError::Unplugged);
            }
            if let Some(value) = condition() {
                return Ok(value);
            }
            if platform::wait_interruptible(&queue.woken, seen) {
                return Err(WaitError::Interrupted);
            }
        };
        self.with_cancellation(|| queue.wake_all(), wait)
    }
}
