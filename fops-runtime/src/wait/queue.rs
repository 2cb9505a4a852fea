//! Wait queues: whom to wake when something changes.
extern crate std;

use super::request::Request;
use crate::platform::{self, Lock};
use core::fmt;
use core::ops::DerefMut;
use std::sync::{Arc, Weak};
use std::vec::Vec;

/// Somebody who sleeps in poll: told that one of the queues that the answer depends on was woken.
///
/// For hosts. Runs on the waker's thread, an interrupt handler's among others: it must not sleep.
pub trait Poller: Send + Sync {
    /// Ask the file again.
    fn wake(&self);
}

/// Where sections sleep until something changes: `wait_queue_head_t`.
///
/// ```
/// use fops_runtime::{DeviceLifetime, WaitQueue};
/// use fops_runtime::op::op;
/// use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
///
/// let (lifetime, queue, frames) = (DeviceLifetime::new(()), WaitQueue::new(), AtomicU32::new(0));
/// std::thread::scope(|s| {
///     let sleeper = s.spawn(|| {
///         let access = lifetime.enter(op!("read")).unwrap();
///         access.wait_event(&queue, || Some(frames.load(SeqCst)).filter(|&n| n > 0))
///     });
///     frames.store(1, SeqCst);
///     queue.wake_all(); // after the change
///     assert_eq!(sleeper.join().unwrap(), Ok(1));
/// });
/// ```
#[derive(Default)]
pub struct WaitQueue {
    waiters: Lock<Waiters>,
}

#[derive(Default)]
struct Waiters {
    sections: Vec<Arc<Request>>,
    /// Whoever slept in poll and is gone is dropped from here at the next registration.
    pollers: Vec<Weak<dyn Poller>>,
}

impl WaitQueue {
    /// An empty queue.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { waiters: Lock::new(Waiters { sections: Vec::new(), pollers: Vec::new() }) }
    }

    /// An empty queue.
    #[cfg(loom)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes all who sleep on the queue; they look at their condition again.
    ///
    /// Change what they wait for first. May be called from an interrupt handler and with locks held.
    pub fn wake_all(&self) {
        let waiters = self.lock();
        for section in &waiters.sections {
            section.wake();
        }
        let pollers: Vec<_> = waiters.pollers.iter().filter_map(Weak::upgrade).collect();
        // A poller may make a system call: not under the lock.
        drop(waiters);
        for poller in pollers {
            // One that panics must not keep the others asleep, nor an unplug from going on. This may be the last
            // reference to it, so it is dropped in here too.
            let wake = || {
                poller.wake();
                drop(poller);
            };
            if platform::catch(wake).is_none() {
                platform::log_error(format_args!("a poller panicked when it was woken"));
            }
        }
    }

    /// Whether somebody sleeps on the queue, in a section or in poll: `waitqueue_active()`. By the time of the answer
    /// that may have changed.
    pub fn has_sleepers(&self) -> bool {
        let waiters = self.lock();
        !waiters.sections.is_empty() || waiters.pollers.iter().any(|poller| poller.strong_count() > 0)
    }

    /// From now on the request is woken with the queue, until the return value is dropped.
    pub(super) fn enlist(&self, request: &Arc<Request>) -> impl Drop + use<'_> {
        struct Enlisted<'a>(&'a WaitQueue, Arc<Request>);

        impl Drop for Enlisted<'_> {
            fn drop(&mut self) {
                let mut waiters = self.0.lock();
                // One request may sleep on a queue twice, in nested waits: take one entry out.
                if let Some(at) = waiters.sections.iter().position(|other| Arc::ptr_eq(other, &self.1)) {
                    waiters.sections.swap_remove(at);
                }
            }
        }

        self.lock().sections.push(request.clone());
        Enlisted(self, request.clone())
    }

    /// From now on the poller is woken with the queue, until it is dropped.
    pub(crate) fn register(&self, poller: &Arc<dyn Poller>) {
        let mut waiters = self.lock();
        waiters.pollers.retain(|other| other.strong_count() > 0);
        let poller = Arc::downgrade(poller);
        if !waiters.pollers.iter().any(|other| other.ptr_eq(&poller)) {
            waiters.pollers.push(poller);
        }
    }

    fn lock(&self) -> impl DerefMut<Target = Waiters> {
        self.waiters.lock()
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiters = self.lock();
        f.debug_struct("WaitQueue")
            .field("sections", &waiters.sections.len())
            .field("pollers", &waiters.pollers.len())
            .finish()
    }
}
