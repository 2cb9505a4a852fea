//! What the record of an unplug says, and that it says what happened.
#![cfg(feature = "std")]
mod common;

use common::{Device, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Op, Unplug, WaitQueue};
use std::sync::{Barrier, mpsc};
use std::thread;

static RELEASE: Op = Op::always("Device", "release");

#[test]
fn all_that_an_unplug_did_is_in_its_record() {
    let device = Device::new();
    let (queue, inside) = (WaitQueue::new(), Barrier::new(5));
    let sleep_in_queue = || {
        let access = device.lifetime.enter(op!("dqbuf")).unwrap();
        inside.wait();
        access.wait_event(&queue, || None::<()>)
    };
    thread::scope(|s| {
        s.spawn(sleep_in_queue);
        s.spawn(sleep_in_queue);
        let (wake, sleep) = mpsc::channel();
        let (lifetime, inside) = (&device.lifetime, &inside);
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            access.with_cancellation(
                || wake.send(()).unwrap(),
                || {
                    inside.wait();
                    sleep.recv().unwrap();
                },
            );
        });
        let (go, gone) = mpsc::channel();
        s.spawn(move || {
            let access = lifetime.enter(op!("streamoff")).unwrap();
            inside.wait();
            gone.recv().unwrap();
            drop(access);
        });
        inside.wait();
        eventually("both sleep", || format!("{:?}", queue).contains('2'));
        assert_eq!(lifetime.record(), None);
        let draining = device.begin_unplug(Cause::Unbind).unwrap();
        for _ in 0..3 {
            assert!(lifetime.enter(op!("read")).is_err());
        }
        // It runs all the same.
        assert!(lifetime.enter(&RELEASE).is_err());
        let record = lifetime.record().unwrap();
        assert_eq!((record.in_flight, record.woken, record.cancelled, record.refused), (4, 2, 1, 3));
        assert_eq!((record.device, record.cause, record.drained), (lifetime.id(), Cause::Unbind, None));
        assert!(record.to_string().ends_with("not drained"), "{record}");
        device.lifetime.escalate(Cause::SurpriseRemoval);
        let draining = draining.wait_for(std::time::Duration::ZERO).unwrap_err();
        eventually("the others are out", || draining.report().to_string().lines().count() == 1);
        let waits = thread::spawn(move || go.send(()).unwrap());
        drop(draining.wait());
        waits.join().unwrap();
    });
    let record = device.lifetime.record().unwrap();
    assert_eq!(record.cause, Cause::SurpriseRemoval);
    assert_eq!((record.in_flight, record.woken, record.cancelled, record.refused), (4, 2, 1, 3));
    assert!(record.told <= record.stopped && record.stopped <= record.drained, "{record}");
    let text = record.to_string();
    let number = record.device;
    assert!(text.starts_with(&format!("surprise removal of device {number}, asked for by thread ")), "{text}");
    assert!(text.contains(": 4 in flight, 2 woken, 1 cancelled, 3 refused; told after "), "{text}");
    println!("{text}");
}

/// The last one that the drain waits for.
#[test]
fn who_leaves_last_is_named() {
    let lifetime = DeviceLifetime::new(());
    thread::scope(|s| {
        let lifetime = &lifetime;
        let stays = |op| {
            let (go, gone) = mpsc::channel::<()>();
            let (ready, is_ready) = mpsc::channel();
            s.spawn(move || {
                let _access = lifetime.enter(op).unwrap();
                ready.send(()).unwrap();
                let _ = gone.recv();
            });
            is_ready.recv().unwrap();
            go
        };
        let (first, last) = (stays(op!("read")), stays(op!("ioctl")));
        let remover = s.spawn(|| lifetime.alone().unplug(Cause::Unbind).unwrap());
        let last_out = || lifetime.record().and_then(|record| record.last_out);
        eventually("the drain waits", || last_out().is_some());
        let named = last_out().unwrap().name();
        // The one that it waits for goes first, so it waits for the other one next.
        let (now, then) = if named == "read" { (first, last) } else { (last, first) };
        drop(now);
        eventually("it waits for the other", || last_out().unwrap().name() != named);
        drop(then);
        remover.join().unwrap();
        assert_ne!(last_out().unwrap().name(), named);
    });
    let text = lifetime.record().unwrap().to_string();
    assert!(text.contains("; last out: record::"), "{text}");
    let idle = DeviceLifetime::new(());
    idle.alone().unplug(Cause::Unbind).unwrap();
    assert_eq!(idle.record().unwrap().last_out, None);
}

/// A record for each device, from one walk; whoever takes over goes on with it.
#[test]
fn a_group_has_a_record_for_each() {
    let (parent, child) = (Device::new(), Device::new());
    let group = (&parent, &child);
    assert_eq!(group.records().iter().count(), 0);
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let child = &child;
        s.spawn(move || {
            let _access = child.lifetime.enter(op!("read")).unwrap();
            inside.send(()).unwrap();
            let _ = gone.recv();
        });
        is_inside.recv().unwrap();
        drop(group.begin_unplug(Cause::Unbind).unwrap());
        let draining = group.begin_unplug(Cause::Removal).unwrap();
        drop(go);
        drop(draining.wait());
    });
    let records: Vec<_> = group.records().iter().collect();
    assert_eq!(records.iter().map(|record| record.in_flight).collect::<Vec<_>>(), [0, 1]);
    assert!(records.iter().all(|record| record.cause == Cause::Removal && record.drained.is_some()));
    assert_eq!(group.records().to_string().lines().count(), 2);
}

/// A drain that sleeps on no thread names it too.
#[cfg(feature = "async")]
#[test]
fn who_leaves_last_is_named_to_a_task() {
    use fops_runtime::UnplugAsync;
    use std::future::Future as _;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    let lifetime = Arc::new(DeviceLifetime::new(()));
    let access = lifetime.enter_owned(op!("transfer")).unwrap();
    let alone = lifetime.alone();
    let mut unplug = std::pin::pin!(alone.unplug_async(Cause::Unbind));
    assert!(unplug.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(access);
    futures_executor::block_on(unplug).unwrap();
    assert_eq!(lifetime.record().unwrap().last_out.map(Op::name), Some("transfer"));
}
