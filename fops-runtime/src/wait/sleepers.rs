//! Which threads sleep, so that unplug wakes whoever sleeps inside one of its sections, whatever for.
//!
//! A thread may be inside sections of several devices and sleep for yet another reason. So unplug goes from its
//! sections to their threads, and from these to what they sleep on.
extern crate std;

use super::request::Request;
use crate::gate;
use crate::platform::atomic::{AtomicUsize, Ordering::Relaxed};
use crate::platform::{self, AtFork, Lock};
use std::boxed::Box;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::vec::Vec;

platform::shared_static! {
    /// What each thread sleeps on; more than one thing where a condition sleeps itself.
    static SLEEPERS: Lock<BTreeMap<u64, Vec<Arc<Request>>>> = Lock::new(BTreeMap::new());
}
platform::shared_static! {
    /// The devices that are closed and not drained.
    static CLOSING: Lock<BTreeSet<u64>> = Lock::new(BTreeSet::new());
}
platform::shared_static! {
    /// How many there are: mostly none, and then nothing has to be looked up.
    ///
    /// Relaxed: whoever asks has enlisted before, under the lock of the sleepers. If unplug took that lock earlier, to
    /// wake who sleeps, the count is seen; if later, it finds the thread, which then asks again.
    static CLOSING_COUNT: AtomicUsize = AtomicUsize::new(0);
}

static AT_FORK: AtFork = AtFork::new(|| Box::new((SLEEPERS.lock(), CLOSING.lock())), forget_other_threads);

/// A forked child has no other threads.
fn forget_other_threads() {
    let here = platform::thread_id();
    SLEEPERS.lock().retain(|&thread, _| thread == here);
}

/// From now on [`wake_thread`] finds this thread, until the return value is dropped.
pub(super) fn enlist(request: &Arc<Request>) -> impl Drop + use<> {
    struct Enlisted(u64);

    impl Drop for Enlisted {
        fn drop(&mut self) {
            let mut sleepers = SLEEPERS.lock();
            if let Some(stack) = sleepers.get_mut(&self.0) {
                stack.pop();
                if stack.is_empty() {
                    sleepers.remove(&self.0);
                }
            }
        }
    }

    AT_FORK.register();
    let thread = platform::thread_id();
    let mut sleepers = SLEEPERS.lock();
    sleepers.entry(thread).or_default().push(request.clone());
    let count = sleepers.len();
    drop(sleepers);
    platform::expect_sleepers(count);
    Enlisted(thread)
}

/// Whether this thread is inside a section that an unplug waits for.
pub(super) fn is_waited_for() -> bool {
    CLOSING_COUNT.load(Relaxed) != 0 && gate::is_inside(is_closing)
}

/// The device is about to be closed.
pub(crate) fn begin_closing(device: u64) {
    AT_FORK.register();
    // The count is changed under the lock, so a forked child finds both alike.
    let mut closing = CLOSING.lock();
    if closing.insert(device) {
        CLOSING_COUNT.fetch_add(1, Relaxed);
    }
}

/// No section of the device is left, or will be waited for.
pub(crate) fn end_closing(device: u64) {
    let mut closing = CLOSING.lock();
    if closing.remove(&device) {
        CLOSING_COUNT.fetch_sub(1, Relaxed);
    }
}

/// Wakes the thread from whatever it sleeps on. Whether it sleeps.
pub(crate) fn wake_thread(thread: u64) -> bool {
    // Not woken under the lock: the thread needs that next.
    let requests = SLEEPERS.lock().get(&thread).cloned().unwrap_or_default();
    requests.iter().for_each(|request| request.wake());
    !requests.is_empty()
}

/// Wakes every thread that sleeps inside a section of a device that `is_meant`, in one walk.
pub(crate) fn wake_sections(is_meant: impl Fn(u64) -> bool) {
    gate::sections(is_meant).for_each(|section| {
        wake_thread(section.thread);
    });
}

pub(crate) fn is_closing(device: u64) -> bool {
    CLOSING.lock().contains(&device)
}
