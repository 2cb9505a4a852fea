//! Devices that go together are all closed before any is waited for.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually};
use fops_runtime::{Cause, Present, Unplug as _, UnplugError, Unplugged, WaitError, WaitQueue, op};
use std::sync::mpsc;
use std::thread;

#[test]
fn an_operation_of_one_that_waits_for_another_does_not_deadlock_the_unplug() {
    let (parent, child, queue) = (Device::new(), Device::new(), WaitQueue::new());
    thread::scope(|s| {
        // Inside the first, holding the second: drained one by one, either would wait for ever.
        let stream = s.spawn(|| {
            let parent = parent.lifetime.enter(op!("streamon")).unwrap();
            let _child = child.lifetime.enter(op!("s_stream")).unwrap();
            parent.wait_event(&queue, || None::<()>)
        });
        // And the other way round.
        let event = s.spawn(|| {
            let child = child.lifetime.enter(op!("interrupt")).unwrap();
            let _parent = parent.lifetime.enter(op!("notify")).unwrap();
            child.wait_event(&queue, || None::<()>)
        });
        eventually("both inside", || format!("{queue:?}").contains("sections: 2"));
        let (parent, child) = (&parent, &child).unplug(Cause::Unbind).unwrap();
        assert_eq!(stream.join().unwrap(), Err(WaitError::Unplugged));
        assert_eq!(event.join().unwrap(), Err(WaitError::Unplugged));
        drop(child);
        drop(parent);
    });
    assert_eq!((parent.drops(), child.drops()), (1, 1));
    assert_eq!((parent.stops.lock().unwrap().len(), child.stops.lock().unwrap().len()), (1, 1));
}

#[test]
fn all_are_closed_before_any_is_stopped() {
    let child: &'static Device = Box::leak(Box::new(Device::new()));
    let mut parent = Device::new();
    parent.on_stop = Some(Box::new(|_| {
        assert_eq!(child.lifetime.enter(op!("late")).err(), Some(Unplugged));
    }));
    drop((&parent, child).unplug(Cause::Removal).unwrap());
}

#[test]
fn as_many_as_there_are_go_together_with_others() {
    let (devices, other): (Vec<_>, _) = ((0..5).map(|_| Device::new()).collect(), Device::new());
    let queue = WaitQueue::new();
    thread::scope(|s| {
        // Each holds the one before it: drained one by one, in whatever order, all would wait for ever.
        let sleepers: Vec<_> = (0..devices.len())
            .map(|number| {
                let (devices, queue) = (&devices, &queue);
                s.spawn(move || {
                    let access = devices[number].lifetime.enter(op!("ioctl")).unwrap();
                    let _before = devices[(number + 4) % 5].lifetime.enter(op!("s_stream")).unwrap();
                    access.wait_event(queue, || None::<()>)
                })
            })
            .collect();
        eventually("all inside", || format!("{queue:?}").contains("sections: 5"));
        let (resources, _other) = (devices.iter().collect::<Vec<_>>(), &other).unplug(Cause::Unbind).unwrap();
        assert_eq!(resources.len(), 5);
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
        }
    });
    assert!(
        devices.iter().chain([&other]).all(|device| device.drops() == 1 && device.stops.lock().unwrap().len() == 1)
    );
    assert!(Vec::<&Device>::new().unplug(Cause::Unbind).unwrap().is_empty());
}

#[test]
fn those_whose_hardware_is_there_are_stopped_as_such() {
    let (pulled, present) = (Device::new(), Device::new());
    drop((&pulled, Present(&present)).unplug(Cause::SurpriseRemoval).unwrap());
    assert_eq!(*pulled.stops.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert_eq!(*present.stops.lock().unwrap(), [Cause::Removal]);
    let present = Device::new();
    drop(Present(&present).unplug(Cause::Unbind).unwrap());
    assert_eq!(*present.stops.lock().unwrap(), [Cause::Unbind]);
}

#[test]
fn a_group_that_this_thread_is_inside_of_stays_as_it_was() {
    let (parent, child) = (Device::new(), Device::new());
    let access = child.lifetime.enter(op!("ioctl")).unwrap();
    assert_eq!((&parent, &child).unplug(Cause::Unbind).err(), Some(UnplugError::Deadlock));
    assert!(!parent.lifetime.is_unplugged() && !child.lifetime.is_unplugged());
    drop(access);
    drop((&parent, &child).unplug(Cause::Unbind).unwrap());
}

#[test]
fn the_wake_hook_of_one_may_end_the_sleep_of_another() {
    let (wake, sleep) = mpsc::channel();
    let parent = Device::new();
    let mut child = Device::new();
    child.on_wake = Some(Box::new(move |child| {
        if child.wakes.load(std::sync::atomic::Ordering::SeqCst) >= 3 {
            let _ = wake.send(());
        }
    }));
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let parent = &parent;
        s.spawn(move || {
            let _access = parent.lifetime.enter(op!("streamoff")).unwrap();
            inside.send(()).unwrap();
            sleep.recv_timeout(DEADLINE).expect("nobody wakes it");
        });
        is_inside.recv().unwrap();
        drop((parent, &child).unplug(Cause::Unbind).unwrap());
    });
}

/// One of them has gone by other means: those before it are closed by then, and nobody goes on sleeping there.
#[test]
fn whoever_sleeps_in_a_group_that_is_refused_is_woken() {
    let devices: &'static [Device; 2] = Box::leak(Box::new([Device::new(), Device::new()]));
    let gone = Device::new();
    let queue: &'static WaitQueue = Box::leak(Box::default());
    drop(gone.unplug(Cause::Unbind).unwrap());
    let sleepers = devices.each_ref().map(|device| {
        thread::spawn(move || device.lifetime.enter(op!("read")).unwrap().wait_event(queue, || None::<()>))
    });
    eventually("both inside", || format!("{queue:?}").contains("sections: 2"));
    let group = (Present(devices.iter().collect::<Vec<_>>()), &gone);
    assert_eq!(group.unplug(Cause::Unbind).err(), Some(UnplugError::AlreadyUnplugged));
    eventually("both are woken", || sleepers.iter().all(|sleeper| sleeper.is_finished()));
    assert_eq!(sleepers.map(|sleeper| sleeper.join().unwrap()), [Err(WaitError::Unplugged); 2]);
    for device in devices {
        drop(device.unplug(Cause::Unbind).unwrap());
        assert_eq!(device.stops.lock().unwrap().len(), 1);
    }
}
