//! Wait queues: whom to wake when something changes.
extern crate std;

use super::request::Request;
use crate::platform::{self, Lock};
use core::fmt;
use core::ops::DerefMut;
use std::collections::BTreeMap;
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

struct Waiters {
    /// In the order in which they came, by a number of each sleep's own.
    sections: BTreeMap<u64, Arc<Request>>,
    /// By address. A poller that is gone keeps its address until it is dropped from here.
    pollers: BTreeMap<usize, Weak<dyn Poller>>,
    /// How many pollers there may be before those that are gone are dropped: more than twice as many as were left the last
    /// time, so each registration pays for a few.
    prune_at: usize,
}

impl Waiters {
    const fn new() -> Self {
        Self { sections: BTreeMap::new(), pollers: BTreeMap::new(), prune_at: PRUNE_AT }
    }
}

impl Default for Waiters {
    fn default() -> Self {
        Self::new()
    }
}

/// So few pollers that are gone may stay.
const PRUNE_AT: usize = 2;

impl WaitQueue {
    /// An empty queue.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self { waiters: Lock::new(Waiters::new()) }
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
        let sections: Vec<_> = waiters.sections.values().cloned().collect();
        let pollers: Vec<_> = waiters.pollers.values().filter_map(Weak::upgrade).collect();
        // To wake is a system call, and those who are woken need the lock next.
        drop(waiters);
        sections.iter().for_each(|section| section.wake());
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
        !waiters.sections.is_empty() || waiters.pollers.values().any(|poller| poller.strong_count() > 0)
    }

    /// From now on the request is woken with the queue, until the return value is dropped.
    pub(super) fn enlist(&self, request: &Arc<Request>) -> impl Drop + use<'_> {
        struct Enlisted<'a>(&'a WaitQueue, u64);

        impl Drop for Enlisted<'_> {
            fn drop(&mut self) {
                self.0.lock().sections.remove(&self.1);
            }
        }

        // One request may sleep on a queue twice, in nested waits: the request is no key.
        let sleep = platform::next_number();
        self.lock().sections.insert(sleep, request.clone());
        Enlisted(self, sleep)
    }

    /// From now on the poller is woken with the queue, until it is dropped.
    pub(crate) fn register(&self, poller: &Arc<dyn Poller>) {
        let mut waiters = self.lock();
        let address = Arc::as_ptr(poller).cast::<()>().addr();
        if waiters.pollers.contains_key(&address) {
            return;
        }
        if waiters.pollers.len() >= waiters.prune_at {
            waiters.pollers.retain(|_, other| other.strong_count() > 0);
            waiters.prune_at = 2 * waiters.pollers.len() + PRUNE_AT;
        }
        waiters.pollers.insert(address, Arc::downgrade(poller));
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    struct Nobody;

    impl Poller for Nobody {
        fn wake(&self) {}
    }

    /// The shortest of some turns: what else runs on the machine makes a turn longer, and never shorter.
    fn shortest(mut turn: impl FnMut()) -> Duration {
        let time = |_| {
            let began = Instant::now();
            turn();
            began.elapsed()
        };
        (0..50).map(time).min().expect("some")
    }

    fn poller() -> Arc<dyn Poller> {
        Arc::new(Nobody)
    }

    #[test]
    fn a_poller_costs_the_same_however_many_there_are() {
        let cost = |pollers: usize| {
            let queue = WaitQueue::new();
            let all: Vec<_> = (0..pollers).map(|_| poller()).collect();
            all.iter().for_each(|poller| queue.register(poller));
            shortest(|| (0..20).for_each(|_| queue.register(&poller())))
        };
        let (few, many) = (cost(10), cost(10_000));
        assert!(many < few * 10, "{few:?} beside 10 pollers, {many:?} beside 10,000");
    }

    #[test]
    fn a_sleeper_costs_the_same_however_many_there_are() {
        let cost = |sleepers: usize| {
            let queue = WaitQueue::new();
            let requests: Vec<_> = (0..sleepers).map(|_| Request::new(None)).collect();
            let _asleep: Vec<_> = requests.iter().map(|request| queue.enlist(request)).collect();
            let request = Request::new(None);
            shortest(|| (0..20).for_each(|_| drop(queue.enlist(&request))))
        };
        let (few, many) = (cost(10), cost(10_000));
        assert!(many < few * 10, "{few:?} beside 10 sleepers, {many:?} beside 10,000");
    }

    #[test]
    fn pollers_that_are_gone_take_no_room_for_long() {
        let (queue, stays) = (WaitQueue::new(), poller());
        queue.register(&stays);
        for _ in 0..1000 {
            queue.register(&poller());
            queue.register(&stays);
        }
        let waiters = queue.lock();
        assert!(waiters.pollers.len() <= 2 + PRUNE_AT, "{} pollers", waiters.pollers.len());
        assert_eq!(waiters.pollers.values().filter(|poller| poller.strong_count() > 0).count(), 1);
    }
}
