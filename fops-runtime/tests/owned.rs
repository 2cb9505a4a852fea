//! Accesses that outlive their function and their thread.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, OwnedAccess, Unplug, Unplugged};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

fn lifetime() -> Arc<fops_runtime::DeviceLifetime<u32>> {
    Arc::new(fops_runtime::DeviceLifetime::new(5))
}

#[test]
fn it_moves_between_threads_and_is_waited_for() {
    fn assert_send<T: Send + 'static>(_: &T) {}
    let lifetime = lifetime();
    let access = lifetime.enter_owned(op!("transfer")).unwrap();
    assert_send(&access);
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let (go, wait_go) = mpsc::channel::<()>();
    let worker = thread::spawn(move || {
        wait_go.recv().unwrap();
        assert_eq!(*access, 5);
        end.store(true, SeqCst);
        drop(access);
    });
    // It was opened here, and is elsewhere by now: no deadlock.
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    assert!(draining.report().to_string().contains("transfer"));
    assert_eq!(lifetime.enter_owned(op!("late")).err(), Some(Unplugged));
    go.send(()).unwrap();
    assert_eq!(draining.wait(), 5);
    assert!(ended.load(SeqCst));
    worker.join().unwrap();
}

#[test]
fn it_outlives_the_thread_that_opened_it() {
    let lifetime = lifetime();
    let other = lifetime.clone();
    let access = thread::spawn(move || other.enter_owned(op!("orphan")).unwrap()).join().unwrap();
    // Threads that come later have slots of their own.
    for _ in 0..4 {
        let lifetime = lifetime.clone();
        thread::spawn(move || drop(lifetime.enter(op!("later")).unwrap())).join().unwrap();
    }
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    let report = draining.report().to_string();
    assert!(report.contains("orphan") && report.contains("has ended"), "{report}");
    drop(access);
    assert_eq!(draining.wait(), 5);
}

#[test]
fn it_keeps_its_device_alive() {
    let lifetime = lifetime();
    let access = lifetime.enter_owned(op!("last")).unwrap();
    let weak = Arc::downgrade(&lifetime);
    drop(lifetime);
    assert_eq!(*access, 5);
    drop(access);
    assert!(weak.upgrade().is_none());
}

#[test]
fn it_takes_a_reference_over_and_gives_it_back() {
    let lifetime = OwnedAccess::enter(lifetime(), op!("lent")).unwrap().exit();
    assert_eq!(Arc::strong_count(&lifetime), 1);
    let access = OwnedAccess::enter(lifetime.clone(), op!("lent")).unwrap();
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    drop(access.exit());
    assert_eq!(draining.wait(), 5);
    assert_eq!(OwnedAccess::enter(lifetime.clone(), op!("late")).err(), Some(Unplugged));
    assert_eq!(Arc::strong_count(&lifetime), 1);
}

/// Resident memory, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn ten_thousand_accesses_in_any_order_take_no_more_memory_the_next_time() {
    let rounds = if std::env::var_os("FOPS_QUICK").is_some() { 50 } else { 1000 };
    let device = Device::new();
    let mut accesses = Vec::with_capacity(10_000);
    let mut random = 1_u64;
    let mut after_warm_up = 0;
    for round in 0..rounds {
        accesses.extend((0..10_000).map(|_| device.lifetime.enter(op!("many")).unwrap()));
        while !accesses.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (random >> 33) as usize % accesses.len();
            drop(accesses.swap_remove(at));
        }
        if round == 10 {
            after_warm_up = resident();
        }
    }
    let grown = resident().saturating_sub(after_warm_up);
    // A block a round would be 1000 x 715 x 256 bytes.
    assert!(grown < 8 * 1024, "{grown} KiB more after {rounds} rounds");
    drop(device.unplug(Cause::Unbind).unwrap());
}

#[test]
fn threads_that_come_and_go_reuse_their_slots() {
    let device: &'static Device = Box::leak(Box::new(Device::new()));
    let round = || {
        let threads: Vec<_> =
            (0..50).map(|_| thread::spawn(|| drop(device.lifetime.enter(op!("short")).unwrap()))).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    };
    (0..10).for_each(|_| round());
    let before = resident();
    (0..40).for_each(|_| round());
    assert!(resident().saturating_sub(before) < 8 * 1024);
    drop(device.unplug(Cause::Unbind).unwrap());
}

#[test]
fn a_section_in_the_last_moments_of_a_thread_is_waited_for() {
    struct Late(&'static Device, mpsc::Sender<()>, mpsc::Receiver<()>);
    impl Drop for Late {
        fn drop(&mut self) {
            let access = self.0.lifetime.enter(op!("late")).unwrap();
            self.1.send(()).unwrap();
            self.2.recv_timeout(DEADLINE).unwrap();
            assert_eq!(access.0.load(SeqCst), 0, "freed under an open section");
        }
    }
    thread_local!(static LATE: std::cell::RefCell<Option<Late>> = const { std::cell::RefCell::new(None) });
    let device: &'static Device = Box::leak(Box::new(Device::new()));
    let (inside, is_inside) = mpsc::channel();
    let (leave, wait_leave) = mpsc::channel();
    let thread = thread::spawn(move || {
        LATE.set(Some(Late(device, inside, wait_leave)));
        // The slots of this thread are registered after, and so go before.
        drop(device.lifetime.enter(op!("first")).unwrap());
    });
    is_inside.recv_timeout(DEADLINE).unwrap();
    let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    leave.send(()).unwrap();
    drop(draining.wait());
    thread.join().unwrap();
    eventually("the end", || device.drops() == 1);
}

#[test]
fn accesses_and_lifetimes_are_no_bigger_than_they_have_to_be() {
    assert_eq!(size_of::<OwnedAccess<u32>>(), 2 * size_of::<usize>());
    assert_eq!(size_of::<fops_runtime::Access<'_, u32>>(), 2 * size_of::<usize>());
    assert!(size_of::<fops_runtime::DeviceLifetime<[u64; 4]>>() <= size_of::<[u64; 4]>() + 64);
}
