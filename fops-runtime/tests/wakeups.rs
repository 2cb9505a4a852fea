//! No wake-up is lost, in many thousands of races.
#![cfg(feature = "std")]
mod common;

use common::DEADLINE;
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, WaitError, WaitQueue};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

/// How often, scaled down by `FOPS_QUICK` for slow machines.
fn rounds() -> u64 {
    if std::env::var_os("FOPS_QUICK").is_some() { 5_000 } else { 100_000 }
}

/// Fails the whole run when `progress` stands still: a lost wake-up is a thread that sleeps for ever.
fn watch(progress: Arc<AtomicU64>, end: u64) {
    thread::spawn(move || {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            thread::sleep(std::time::Duration::from_millis(100));
            match progress.load(SeqCst) {
                now if now >= end => return,
                now if now != last => (last, since) = (now, Instant::now()),
                now if since.elapsed() > DEADLINE => {
                    eprintln!("a wake-up was lost in round {now} of {end}");
                    std::process::abort();
                }
                _ => {}
            }
        }
    });
}

struct Device {
    lifetime: DeviceLifetime<u64>,
    queue: WaitQueue,
    inside: AtomicUsize,
}

#[test]
fn unplug_against_sleepers() {
    let (rounds, progress) = (rounds(), Arc::new(AtomicU64::new(0)));
    watch(progress.clone(), rounds);
    let (mut devices, mut sleepers) = (Vec::new(), Vec::new());
    let asleep = Arc::new(AtomicU64::new(0));
    for _ in 0..2 {
        let (send, receive) = mpsc::sync_channel::<Arc<Device>>(1);
        let asleep = asleep.clone();
        devices.push(send);
        sleepers.push(thread::spawn(move || {
            for device in receive {
                if let Ok(access) = device.lifetime.enter(op!("sleeper")) {
                    device.inside.fetch_add(1, SeqCst);
                    assert_eq!(access.wait_event(&device.queue, || None::<()>), Err(WaitError::Unplugged));
                    asleep.fetch_add(1, SeqCst);
                }
            }
        }));
    }
    for round in 0..rounds {
        let device =
            Arc::new(Device { lifetime: DeviceLifetime::new(round), queue: WaitQueue::new(), inside: 0.into() });
        for send in &devices {
            send.send(device.clone()).unwrap();
        }
        // At least one is inside; how far it got, and where the other is, differs from round to round.
        while device.inside.load(SeqCst) == 0 {
            std::hint::spin_loop();
        }
        for _ in 0..round % 301 {
            std::hint::spin_loop();
        }
        assert_eq!(device.lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait(), round);
        progress.store(round + 1, SeqCst);
    }
    drop(devices);
    sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
    assert!(asleep.load(SeqCst) >= rounds, "nobody was inside");
}

#[test]
fn events_against_sleepers() {
    let (rounds, progress) = (rounds(), Arc::new(AtomicU64::new(0)));
    watch(progress.clone(), rounds);
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    // Two threads pass a number to and fro: each sleeps until the other has counted it up.
    let number = AtomicU64::new(0);
    thread::scope(|s| {
        for me in 0..2 {
            let (lifetime, queue, number, progress) = (&lifetime, &queue, &number, progress.clone());
            s.spawn(move || {
                let access = lifetime.enter(op!("ping")).unwrap();
                for round in (me..rounds).step_by(2) {
                    access.wait_event(queue, || (number.load(SeqCst) == round).then_some(())).unwrap();
                    number.store(round + 1, SeqCst);
                    queue.wake_all();
                    progress.store(round + 1, SeqCst);
                }
            });
        }
    });
    assert_eq!(number.load(SeqCst), rounds);
}
