//! Unplug wakes whoever sleeps inside one of its sections, whatever the sleep is for.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, eventually, watchdog};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, UnplugError, WaitError, WaitQueue};
use std::sync::mpsc;
use std::thread;

#[test]
fn the_outer_device_goes_while_its_section_sleeps_for_the_inner_one() {
    let _watchdog = watchdog("the_outer_device_goes_while_its_section_sleeps_for_the_inner_one");
    let (outer, inner, queue) = (DeviceLifetime::new(()), DeviceLifetime::new(()), WaitQueue::new());
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let _outer = outer.enter(op!("outer")).unwrap();
            inner.enter(op!("inner")).unwrap().wait_event(&queue, || None::<()>)
        });
        eventually("the sleeper", || queue.has_sleepers());
        outer.alone().begin_unplug(Cause::Unbind).unwrap().wait();
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
    });
    // The inner one is as it was.
    assert!(!inner.is_unplugged());
}

#[test]
fn a_sleep_for_no_device_ends_too() {
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let _access = lifetime.enter(op!("ioctl")).unwrap();
            queue.wait_event(None, || None::<()>)
        });
        eventually("the sleeper", || queue.has_sleepers());
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
    });
    // Outside of a section nothing of that is felt, also while another device drains.
    let draining = DeviceLifetime::new(());
    let _draining = draining.alone().begin_unplug(Cause::Unbind).unwrap();
    assert_eq!(queue.wait_event(Some(std::time::Duration::ZERO), || None::<()>), Ok(None));
}

#[test]
fn every_section_of_a_thread_is_known_by_name() {
    // Beyond the first block of slots too, where one that is not found would hang its own unplug.
    let (lifetime, other) = (DeviceLifetime::new(()), DeviceLifetime::new(()));
    let mut fill = Vec::new();
    for _ in 0..300 {
        fill.push(other.enter(op!("fill")).unwrap());
        let access = lifetime.enter(op!("mine")).unwrap();
        assert!(matches!(lifetime.alone().begin_unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
        drop(access);
    }
    let (inside, is_inside) = mpsc::channel();
    let (leave, wait_leave) = mpsc::channel::<()>();
    thread::scope(|s| {
        let lifetime = &lifetime;
        s.spawn(move || {
            let accesses: Vec<_> = (0..300).map(|_| lifetime.enter(op!("many")).unwrap()).collect();
            inside.send(()).unwrap();
            wait_leave.recv_timeout(DEADLINE).unwrap();
            drop(accesses);
        });
        is_inside.recv().unwrap();
        let draining =
            lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait_for(std::time::Duration::ZERO).unwrap_err();
        let report = draining.report();
        assert_eq!((report.stragglers().count(), report.unnamed()), (300, 0));
        leave.send(()).unwrap();
        draining.wait();
    });
}

#[test]
fn what_is_thrown_may_throw_again() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            if !thread::panicking() {
                panic!("in a payload, on purpose");
            }
        }
    }
    let lifetime = DeviceLifetime::new(());
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let (wake, sleep) = mpsc::channel();
        let lifetime = &lifetime;
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            let cancel = || {
                wake.send(()).unwrap();
                std::panic::panic_any(Bomb);
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                sleep.recv_timeout(DEADLINE).unwrap();
            });
        });
        is_inside.recv().unwrap();
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    });
}

#[test]
fn a_cause_only_gets_worse() {
    let lifetime = DeviceLifetime::new(());
    lifetime.escalate(Cause::SurpriseRemoval);
    assert_eq!(lifetime.cause(), None, "it is plugged");
    // The unplug that was on its way did not know it yet.
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    assert_eq!(lifetime.cause(), Some(Cause::SurpriseRemoval));
    draining.wait();

    let lifetime = DeviceLifetime::new(());
    let draining = lifetime.alone().begin_unplug(Cause::Removal).unwrap();
    lifetime.escalate(Cause::Unbind);
    assert_eq!(lifetime.cause(), Some(Cause::Removal));
    lifetime.escalate(Cause::SurpriseRemoval);
    assert_eq!(lifetime.cause(), Some(Cause::SurpriseRemoval));
    draining.wait();
}

#[test]
fn the_last_moments_of_a_thread_are_safe() {
    use std::cell::RefCell;
    struct Late(&'static DeviceLifetime<()>, mpsc::Sender<Result<(), WaitError>>);
    impl Drop for Late {
        fn drop(&mut self) {
            let queue = WaitQueue::new();
            let access = self.0.enter(op!("late")).unwrap();
            assert!(matches!(self.0.alone().begin_unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
            self.1.send(access.wait_event(&queue, || Some(()))).unwrap();
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });
    let lifetime: &'static _ = Box::leak(Box::new(DeviceLifetime::new(())));
    let (send, receive) = mpsc::channel();
    // Its slots may be given up before that, or not.
    for has_slots in [false, true] {
        let send = send.clone();
        let run = move || {
            LATE.set(Some(Late(lifetime, send)));
            drop(has_slots.then(|| lifetime.enter(op!("early")).unwrap()));
        };
        thread::spawn(run).join().unwrap();
        assert_eq!(receive.recv_timeout(DEADLINE).unwrap(), Ok(()));
    }
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
}
