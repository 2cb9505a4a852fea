//! Which threads sleep, so that unplug wakes whoever sleeps inside one of its sections, whatever for.
//!
//! A thread may be inside sections of several devices and sleep for yet another reason. So unplug goes from its
//! sections to their threads, and from these to what they sleep on.
extern crate std;

use super::Request;
use crate::gate::{self, Gate};
use crate::platform;
use core::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::vec::Vec;

/// What each thread sleeps on; more than one thing where a condition sleeps itself.
static SLEEPERS: Mutex<BTreeMap<u64, Vec<Arc<Request>>>> = Mutex::new(BTreeMap::new());
/// The devices that are closed and not drained.
static CLOSING: Mutex<Vec<u64>> = Mutex::new(Vec::new());
/// How many there are: mostly none, and then nothing has to be looked up.
static CLOSING_COUNT: AtomicUsize = AtomicUsize::new(0);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics under them.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on [`wake_sections`] finds this thread, until the return value is dropped.
pub(super) fn enlist(request: &Arc<Request>) -> impl Drop + use<> {
    struct Enlisted(u64);

    impl Drop for Enlisted {
        fn drop(&mut self) {
            let mut sleepers = lock(&SLEEPERS);
            if let Some(stack) = sleepers.get_mut(&self.0) {
                stack.pop();
                if stack.is_empty() {
                    sleepers.remove(&self.0);
                }
            }
        }
    }

    let thread = platform::thread_id();
    lock(&SLEEPERS).entry(thread).or_default().push(request.clone());
    Enlisted(thread)
}

/// Whether this thread is inside a section that an unplug waits for.
pub(super) fn is_waited_for() -> bool {
    CLOSING_COUNT.load(SeqCst) != 0 && gate::is_inside(platform::thread_id(), &lock(&CLOSING))
}

/// The device is about to be closed.
pub(crate) fn begin_closing(device: u64) {
    lock(&CLOSING).push(device);
    CLOSING_COUNT.fetch_add(1, SeqCst);
}

/// No section of the device is left, or will be waited for.
pub(crate) fn end_closing(device: u64) {
    let mut closing = lock(&CLOSING);
    if let Some(at) = closing.iter().position(|&other| other == device) {
        closing.swap_remove(at);
        CLOSING_COUNT.fetch_sub(1, SeqCst);
    }
}

/// Wakes every thread that sleeps inside a section of the closed gate.
///
/// One that is not found here enlists later, and then sees that it is waited for.
pub(crate) fn wake_sections(gate: &Gate) {
    for section in gate.sections() {
        let sleepers = lock(&SLEEPERS);
        for request in sleepers.get(&section.thread).into_iter().flatten() {
            request.wake();
        }
    }
}
