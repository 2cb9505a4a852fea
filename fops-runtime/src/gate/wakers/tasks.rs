//! Tasks that wait for what a device's sections do: woken where a thread would be woken through the gate's word.
extern crate std;

use crate::platform::atomic::{AtomicUsize, Ordering};
use crate::platform::{self, Lock, needed_fence};
use core::task::Waker;
use std::collections::BTreeMap;
use std::vec::Vec;

type Waiting = BTreeMap<(u64, u64), Waker>;

platform::shared_static! {
    /// Who is to be woken, by device and task. In no device's own memory: few are ever waited for in this way.
    static WAITING: Lock<Waiting> = Lock::new(BTreeMap::new());
}
platform::shared_static! {
    /// How many: mostly none, and then a section that ends has nothing to look up.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
}

/// One task's place among those that wait for some devices. Given up when dropped.
#[derive(Debug)]
pub(crate) struct Task {
    devices: Vec<u64>,
    number: u64,
}

impl Task {
    pub(crate) fn new(devices: Vec<u64>) -> Self {
        Self { devices, number: platform::next_number() }
    }

    /// Those that it waits for.
    pub(crate) fn devices(&self) -> &[u64] {
        &self.devices
    }

    /// Has `waker` woken at the next change of one of the devices. What is looked at after this is not missed.
    pub(crate) fn wait(&self, waker: &Waker) {
        for &device in &self.devices {
            let waker = waker.clone();
            let mut waiting = WAITING.lock();
            let before = waiting.insert((device, self.number), waker);
            count(&waiting);
            drop(waiting);
            // A stranger's code: not under the lock.
            drop(before);
        }
        // Pairs with the fence in `wake_tasks`: either that sees the count, or what the caller looks at next is as the
        // section that ended left it.
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

/// Something about the device has changed: a section has ended, or the remover's role is free.
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
        // An executor that panics must not keep the other tasks asleep, nor take the section's thread down.
        if platform::catch(|| waker.wake()).is_none() {
            platform::log_error(format_args!("a task's waker panicked"));
        }
    }
}

fn count(waiting: &Waiting) {
    // Relaxed: the fences have the order.
    COUNT.store(waiting.len(), Ordering::Relaxed);
}
