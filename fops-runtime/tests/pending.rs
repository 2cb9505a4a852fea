//! Work that ends after its method has returned: completed or cancelled, exactly once.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Errno, OnUnplug, OwnedAccess, Pending, Unplug, Unplugged};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

type Device = Arc<DeviceLifetime<u32>>;

fn device() -> Device {
    Arc::new(DeviceLifetime::new(5))
}

/// A transfer that notes whether it was cancelled.
fn submit(device: &Device, cancelled: &Arc<AtomicUsize>) -> Result<Pending<u32, Arc<AtomicUsize>>, Unplugged> {
    let access = device.enter_owned(op!("transfer"))?;
    Ok(access.into_pending(cancelled.clone(), |access, cancelled| {
        assert_eq!(*access, 5);
        cancelled.fetch_add(1, SeqCst);
    }))
}

#[test]
fn it_goes_to_any_thread() {
    fn assert_send_sync<T: Send + Sync + 'static>() {}
    assert_send_sync::<Pending<u32, mpsc::Sender<u32>>>();
    assert_send_sync::<OnUnplug<u32>>();
}

#[test]
fn unplug_waits_for_one_that_completes_and_cancels_the_rest() {
    let (device, cancelled) = (device(), Arc::default());
    let tokens: Vec<_> = (0..100).map(|_| submit(&device, &cancelled).unwrap()).collect();
    let first = submit(&device, &cancelled).unwrap();
    // Completion is under way: the section is open until the access goes.
    let (access, _) = first.complete().unwrap();
    let draining = device.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    assert_eq!(cancelled.load(SeqCst), 100);
    assert_eq!(draining.report().stragglers().count(), 1, "{:?}", draining.report());
    drop(access);
    assert_eq!(draining.wait(), 5);
    for token in tokens {
        assert!(token.is_unplugged());
        assert_eq!(token.complete().err(), Some(Unplugged));
    }
    assert_eq!(cancelled.load(SeqCst), 100);
}

#[test]
fn after_unplug_has_begun_it_is_cancelled_at_once() {
    let (device, cancelled) = (device(), Arc::<AtomicUsize>::default());
    let access = device.enter_owned(op!("late")).unwrap();
    let draining = device.alone().begin_unplug(Cause::Unbind).unwrap();
    let pending = access.into_pending((), {
        let cancelled = cancelled.clone();
        move |_, ()| _ = cancelled.fetch_add(1, SeqCst)
    });
    assert_eq!(cancelled.load(SeqCst), 1);
    assert_eq!(draining.wait(), 5);
    assert!(pending.complete().is_err());
    assert_eq!(submit(&device, &cancelled).err(), Some(Unplugged));
}

#[test]
fn a_token_that_is_dropped_is_cancelled() {
    let (device, cancelled) = (device(), Arc::default());
    let weak = Arc::downgrade(&device);
    drop(submit(&device, &cancelled).unwrap());
    assert_eq!(cancelled.load(SeqCst), 1);
    // One that is completed is not, and nothing of either is left behind.
    drop(submit(&device, &cancelled).unwrap().complete().unwrap());
    assert_eq!((cancelled.load(SeqCst), Arc::strong_count(&cancelled)), (1, 1));
    drop(device);
    assert!(weak.upgrade().is_none());
}

#[test]
fn one_that_is_forgotten_is_cancelled_by_unplug() {
    let (device, cancelled) = (device(), Arc::default());
    std::mem::forget(submit(&device, &cancelled).unwrap());
    assert_eq!(device.alone().begin_unplug(Cause::Unbind).unwrap().wait(), 5);
    assert_eq!(cancelled.load(SeqCst), 1);
}

#[test]
fn a_cancellation_may_keep_the_section_until_the_hardware_confirms() {
    let device = device();
    let confirmed = Arc::new(Mutex::new(None::<OwnedAccess<u32>>));
    let access = device.enter_owned(op!("dma")).unwrap();
    let pending = access.into_pending(confirmed.clone(), |access, confirmed| *confirmed.lock().unwrap() = Some(access));
    let draining = device.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::ZERO).unwrap_err();
    assert!(draining.report().to_string().contains("dma"));
    assert!(pending.complete().is_err());
    drop(confirmed.lock().unwrap().take());
    assert_eq!(draining.wait(), 5);
}

#[test]
fn cancellations_that_panic_lose_neither_the_others_nor_the_unplug() {
    let (device, cancelled) = (device(), Arc::default());
    let before = submit(&device, &cancelled).unwrap();
    let bad = device.enter_owned(op!("bad")).unwrap().into_pending((), |_, ()| panic!("the test's own"));
    let after = submit(&device, &cancelled).unwrap();
    drop(device.enter_owned(op!("bad")).unwrap().into_pending((), |_, ()| panic!("the test's own")));
    assert_eq!(device.alone().begin_unplug(Cause::Unbind).unwrap().wait(), 5);
    assert_eq!(cancelled.load(SeqCst), 2);
    drop((before, bad, after));
}

#[test]
fn a_callback_ends_work_that_has_no_stack() {
    let device = device();
    let access = device.enter_owned(op!("transfer")).unwrap();
    let (abort, aborted) = mpsc::channel();
    let on_unplug = access.on_unplug(move || abort.send(()).unwrap());
    let transfer = thread::spawn(move || {
        aborted.recv_timeout(DEADLINE).expect("nobody aborts it");
        drop((on_unplug, access));
    });
    assert_eq!(device.alone().begin_unplug(Cause::Unbind).unwrap().wait(), 5);
    transfer.join().unwrap();
}

#[test]
fn a_callback_is_taken_back_and_may_take_itself_back() {
    let (device, called) = (device(), Arc::new(AtomicUsize::new(0)));
    let access = device.enter_owned(op!("transfer")).unwrap();
    let count = |called: &Arc<AtomicUsize>| {
        let called = called.clone();
        move || _ = called.fetch_add(1, SeqCst)
    };
    drop(access.on_unplug(count(&called)));
    assert_eq!(Arc::strong_count(&called), 1);
    let own = Arc::new(Mutex::new(None));
    let on_unplug = access.on_unplug({
        let (own, count) = (own.clone(), count(&called));
        move || {
            count();
            drop(own.lock().unwrap().take());
        }
    });
    *own.lock().unwrap() = Some(on_unplug);
    let remover = {
        let device = device.clone();
        thread::spawn(move || device.alone().begin_unplug(Cause::Unbind).unwrap().wait())
    };
    eventually("the callback", || called.load(SeqCst) == 1);
    // Unplug has begun: at once.
    let late = access.on_unplug(count(&called));
    assert_eq!(called.load(SeqCst), 2);
    drop((late, access));
    assert_eq!(remover.join().unwrap(), 5);
    eventually("nothing is left behind", || Arc::strong_count(&called) == 1);
}

#[test]
fn a_parked_reply_is_answered_once_whatever_comes_first() {
    let device = device();
    let (reply, answers) = mpsc::channel::<Result<u32, Errno>>();
    let pending = device
        .enter_owned(op!("read"))
        .unwrap()
        .into_pending(reply, |_, reply| reply.send(Err(Errno::ENODEV)).unwrap());
    assert_eq!(device.alone().begin_unplug(Cause::Unbind).unwrap().wait(), 5);
    assert!(pending.complete().is_err());
    assert_eq!(answers.iter().collect::<Vec<_>>(), [Err(Errno::ENODEV)]);
}

#[test]
fn completion_races_with_unplug_and_exactly_one_of_both_runs() {
    const DEVICES: usize = 50;
    let rounds = if std::env::var_os("FOPS_QUICK").is_some() { 5_000 } else { 100_000 };
    let (completed, cancelled) = (AtomicUsize::new(0), Arc::<AtomicUsize>::default());
    let (start, work) = (Barrier::new(2), Mutex::new(Vec::new()));
    let rounds = rounds / DEVICES;
    thread::scope(|s| {
        s.spawn(|| {
            for _ in 0..rounds {
                start.wait();
                let tokens: Vec<Pending<u32, _>> = std::mem::take(&mut *work.lock().unwrap());
                start.wait();
                for token in tokens {
                    if let Ok((access, _)) = token.complete() {
                        assert_eq!(*access, 5);
                        completed.fetch_add(1, SeqCst);
                    }
                }
                start.wait();
            }
        });
        for round in 0..rounds {
            let devices: Vec<_> = (0..DEVICES).map(|_| device()).collect();
            *work.lock().unwrap() = devices.iter().map(|device| submit(device, &cancelled).unwrap()).collect();
            start.wait();
            start.wait();
            // The two meet somewhere in the middle.
            for device in devices.iter().rev() {
                assert_eq!(device.alone().begin_unplug(Cause::Unbind).unwrap().wait(), 5);
            }
            start.wait();
            assert_eq!(completed.load(SeqCst) + cancelled.load(SeqCst), (round + 1) * DEVICES, "in round {round}");
        }
    });
    assert!(completed.load(SeqCst) > 0 && cancelled.load(SeqCst) > 0, "they never met: {completed:?}, {cancelled:?}");
}
