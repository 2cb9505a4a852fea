//! The tasks that wait for a change of a device. The gate wakes them when it wakes threads.
extern crate std;

use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{self, AtFork, Lock, needed_fence};
use core::task::Waker;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::vec::Vec;

type Waiting = BTreeMap<(u64, u64), Waker>;

platform::shared_static! {
    /// The wakers, by device and task. They take no room in the device, since tasks wait for few devices.
    static WAITING: Lock<Waiting> = Lock::new(BTreeMap::new());
}
platform::shared_static! {
    /// The number of wakers. It is mostly 0, and then the end of a section looks nothing up.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
}

/// The tasks stay, because the thread that forks may be the one that polls them.
static AT_FORK: AtFork = AtFork::new(|| Box::new(WAITING.lock()), || ());

/// One task's place among the tasks that wait for some devices. Dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Task {
    devices: Vec<u64>,
    number: u64,
}

impl Task {
    pub(crate) fn new(devices: Vec<u64>) -> Self {
        AT_FORK.register();
        Self { devices, number: platform::next_number() }
    }

    /// Those that it waits for.
    pub(crate) fn devices(&self) -> &[u64] {
        &self.devices
    }

    /// Wakes `waker` at the next change of one of the devices. The caller looks at them after this, and misses no change.
    pub(crate) fn wait(&self, waker: &Waker) {
        for &device in &self.devices {
            let waker = waker.clone();
            let mut waiting = WAITING.lock();
            let before = waiting.insert((device, self.number), waker);
            count(&waiting);
            drop(waiting);
            // Dropping a waker runs foreign code: not under the lock.
            drop(before);
        }
        // Pairs with the fence in `wake_tasks`. Either that sees the count, or the caller sees what the section that
        // ended left behind.
        needed_fence("fence of a task that waits");
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        for &device in &self.devices {
            let mut waiting = WAITING.lock();
            let waker = waiting.remove(&(device, self.number));
            count(&waiting);
            drop(waiting);
            drop(waker);
        }
    }
}

/// Wakes the tasks that wait for a change of the device: a section has ended, or the remover's role is free.
pub(crate) fn wake_tasks(device: u64) {
    // See `Task::wait`.
    needed_fence("fence of who wakes tasks");
    if COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut waiting = WAITING.lock();
    let numbers: Vec<_> = waiting.range((device, 0)..=(device, u64::MAX)).map(|(&key, _)| key).collect();
    let wakers: Vec<_> = numbers.iter().filter_map(|key| waiting.remove(key)).collect();
    count(&waiting);
    drop(waiting);
    for waker in wakers {
        // If an executor panics, the other tasks still wake, and the section's thread lives on.
        if platform::catch(|| waker.wake()).is_none() {
            platform::log_error(format_args!("a task's waker panicked"));
        }
    }
}

fn count(waiting: &Waiting) {
    // Relaxed: the fences have the order.
    COUNT.store(waiting.len(), Ordering::Relaxed);
}
