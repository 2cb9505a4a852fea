//! What does not grow with the number of threads that sleep, or have ever opened a section.
//!
//! Times are the shortest of some turns: what else runs on the machine makes a turn longer, and never shorter.
#![cfg(all(feature = "std", target_os = "linux", not(loom)))]
mod common;

use common::{eventually, skip, watchdog};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, WaitQueue};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

const THREADS: usize = 2_000;

/// Runs `then` while so many threads sleep in a section of `device` each.
fn beside_sleepers<T>(device: &DeviceLifetime<()>, then: impl FnOnce() -> T) -> T {
    let (queue, asleep) = (&WaitQueue::new(), &AtomicUsize::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let sleep = move || {
                let access = device.enter(op!("sleep")).unwrap();
                asleep.fetch_add(1, SeqCst);
                access.wait_event(queue, || None::<()>).unwrap_err();
            };
            thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, sleep).unwrap();
        }
        eventually("all sleep", || asleep.load(SeqCst) == THREADS);
        let result = then();
        device.alone().unplug(Cause::Unbind).unwrap();
        result
    })
}

fn shortest(mut turn: impl FnMut() -> Duration) -> Duration {
    (0..20).map(|_| turn()).min().unwrap()
}

#[test]
fn a_sleep_while_an_unplug_waits_looks_at_its_own_thread_alone() {
    let _watchdog = watchdog("a sleep while an unplug waits");
    let (crowd, stuck, own) = (DeviceLifetime::new(()), DeviceLifetime::new(()), DeviceLifetime::new(()));
    let queue = WaitQueue::new();
    let access = own.enter(op!("sleep")).unwrap();
    let sleeps = || {
        shortest(|| {
            let began = Instant::now();
            (0..100).for_each(|_| access.wait_event(&queue, || Some(())).unwrap());
            began.elapsed()
        })
    };
    let (before, during) = beside_sleepers(&crowd, || {
        let before = sleeps();
        // Closed, and not drained.
        let draining = stuck.alone().begin_unplug(Cause::Unbind).unwrap();
        let during = sleeps();
        draining.wait();
        (before, during)
    });
    assert!(during < before * 10, "100 sleeps take {before:?}, and {during:?} while an unplug waits");
}

#[test]
fn a_group_is_drained_in_one_walk() {
    let _watchdog = watchdog("a group");
    beside_sleepers(&DeviceLifetime::new(()), || {
        let unplug = |devices: usize| {
            let devices: Vec<_> = (0..devices).map(DeviceLifetime::new).collect();
            let group: Vec<_> = devices.iter().map(DeviceLifetime::alone).collect();
            let began = Instant::now();
            group.unplug(Cause::Unbind).unwrap();
            began.elapsed()
        };
        let (one, many) = (shortest(|| unplug(1)), shortest(|| unplug(200)));
        assert!(many < one * 40, "one device takes {one:?}, 200 take {many:?}");
    });
}

#[test]
fn the_kernel_has_a_bucket_for_each_sleeper() {
    let _watchdog = watchdog("the kernel's buckets");
    // PR_FUTEX_HASH, PR_FUTEX_HASH_GET_SLOTS.
    // SAFETY: it touches no memory.
    let slots = || unsafe { libc::prctl(78, 2, 0_usize, 0_usize, 0_usize) };
    match beside_sleepers(&DeviceLifetime::new(()), slots) {
        -1 => skip("the kernel's buckets are those of all processes"),
        slots => assert!(slots as usize >= THREADS, "{slots} buckets"),
    }
}
