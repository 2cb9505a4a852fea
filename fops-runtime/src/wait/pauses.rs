//! Which devices are paused, so that a thread that sleeps inside one of their sections stays out of the way.
//!
//! Such a thread [parks](park): the pause need not wait for it, and it neither asks its condition nor touches the resources
//! until the pause is over.
extern crate std;

use super::request::Request;
use crate::gate;
use crate::platform::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::platform::{self, AtFork, Lock};
use std::boxed::Box;
use std::collections::BTreeMap;

/// Nobody is at the paused device: it was left so.
pub(crate) const NOBODY: u64 = 0;

platform::shared_static! {
    /// The devices that are paused, and the thread that pauses each, or [`NOBODY`].
    static PAUSED: Lock<BTreeMap<u64, u64>> = Lock::new(BTreeMap::new());
}
platform::shared_static! {
    /// How many there are. It is mostly 0, and then nothing has to be looked up.
    ///
    /// Relaxed: a thread that goes on asks after a fence, and the heavy fences at both ends of a pause pair with it. A
    /// thread that is about to sleep and asks too early is woken, and asks again.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
}

static AT_FORK: AtFork = AtFork::new(|| Box::new(PAUSED.lock()), forget_other_threads);

/// A forked child has no other threads, so no pause of theirs will end there.
fn forget_other_threads() {
    let here = platform::thread_id();
    let mut paused = PAUSED.lock();
    paused.retain(|_, &mut thread| thread == here || thread == NOBODY);
    COUNT.store(paused.len(), Relaxed);
}

/// Threads that sleep in sections of this device park from now on. Pass the heavy fence next, and wake them.
pub(crate) fn begin_pause(device: u64, thread: u64) {
    AT_FORK.register();
    let mut paused = PAUSED.lock();
    paused.insert(device, thread);
    COUNT.store(paused.len(), Relaxed);
}

/// Threads that sleep in sections of this device go on, once they are woken. The caller has passed the heavy fence if the
/// resources were touched meanwhile.
pub(crate) fn end_pause(device: u64) {
    let mut paused = PAUSED.lock();
    if paused.remove(&device).is_some() {
        COUNT.store(paused.len(), Relaxed);
    }
}

/// Whether this thread is inside a section of a device that another one pauses.
pub(super) fn is_due() -> bool {
    if COUNT.load(Relaxed) == 0 {
        return false;
    }
    let here = platform::thread_id();
    let others: BTreeMap<u64, u64> = PAUSED.lock().clone();
    gate::is_inside(|device| others.get(&device).is_some_and(|&thread| thread != here))
}

/// Sleeps until no other thread pauses a device that this one is inside a section of. The caller has enlisted `request`, and
/// asks [`is_due`] again before it goes on: a pause that has begun meanwhile may have seen the thread parked.
pub(super) fn park(request: &Request) {
    gate::park();
    loop {
        // Read before the look: a pause that ends in between makes the sleep return at once.
        let seen = request.event();
        if !is_due() {
            break;
        }
        request.sleep(seen, None);
    }
    gate::go_on();
}
