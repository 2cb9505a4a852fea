//! Devices that go together are all closed before any is waited for.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, Present, Unplug, UnplugError, Unplugged, WaitError, WaitQueue};
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
    assert!(matches!((&parent, &child).unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
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

#[test]
fn groups_that_name_the_same_devices_in_another_order_do_not_wait_for_each_other() {
    let watchdog = common::watchdog("groups in two orders");
    for _ in 0..common::rounds(20_000) {
        watchdog.goes_on();
        let (one, other) = (Device::new(), Device::new());
        let start = std::sync::Barrier::new(2);
        let answers = thread::scope(|s| {
            let forth = s.spawn(|| {
                start.wait();
                (&one, &other).unplug(Cause::Unbind).map(drop)
            });
            start.wait();
            let back = (&other, &one).unplug(Cause::Unbind).map(drop);
            [forth.join().unwrap(), back]
        });
        let won = answers.iter().filter(|answer| answer.is_ok()).count();
        let lost = answers.iter().filter(|answer| **answer == Err(UnplugError::AlreadyUnplugged)).count();
        assert_eq!((won, lost), (1, 1), "{answers:?}");
        assert_eq!((one.drops(), other.drops()), (1, 1));
    }
}

/// Somebody unplugs one member, and waits for an operation of it, which waits for one of the other member.
#[test]
fn all_are_flagged_and_woken_whoever_has_the_role_of_one() {
    let _watchdog = common::watchdog("a group against one of its members");
    let (sleeps, waits, queue) = (Device::new(), Device::new(), WaitQueue::new());
    let (ended, has_ended) = mpsc::channel();
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let access = sleeps.lifetime.enter(op!("dqbuf")).unwrap();
            let woken = access.wait_event(&queue, || None::<()>);
            ended.send(()).unwrap();
            woken
        });
        let (inside, is_inside) = mpsc::channel();
        let lifetime = &waits.lifetime;
        s.spawn(move || {
            let _access = lifetime.enter(op!("streamoff")).unwrap();
            inside.send(()).unwrap();
            has_ended.recv().unwrap();
        });
        is_inside.recv().unwrap();
        eventually("it sleeps", || queue.has_sleepers());
        let alone = s.spawn(|| waits.unplug(Cause::Unbind).map(drop));
        eventually("it is waited for", || waits.lifetime.report().to_string().contains("waited for"));
        // Named in either order.
        let group = (&waits, &sleeps).unplug(Cause::Unbind).map(drop);
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
        assert_eq!(alone.join().unwrap(), Ok(()));
        assert_eq!(group, Err(UnplugError::AlreadyUnplugged));
        drop(sleeps.unplug(Cause::Unbind).unwrap());
    });
}

#[test]
fn an_unplug_that_waits_for_a_role_is_in_the_report() {
    let (held, other) = (Device::new(), Device::new());
    let (give_up, is_given_up) = mpsc::channel::<()>();
    thread::scope(|s| {
        let (holds, is_held) = mpsc::channel();
        let device = &held;
        let holder = thread::Builder::new().name("holder".into());
        holder
            .spawn_scoped(s, move || {
                let draining = device.begin_unplug(Cause::Unbind).unwrap();
                holds.send(()).unwrap();
                is_given_up.recv().unwrap();
                drop(draining);
            })
            .unwrap();
        is_held.recv().unwrap();
        let group = s.spawn(|| (&other, &held).unplug(Cause::Removal));
        let role = format!("the remover's role of device {}", held.lifetime.id());
        // In that of each device of the group, and of the group.
        let reports: [&dyn Fn() -> String; 3] =
            [&|| other.lifetime.report().to_string(), &|| held.report().to_string(), &|| {
                (&other, &held).report().to_string()
            }];
        for report in reports {
            eventually("the role is named", || report().contains(&role) && report().contains("\"holder\""));
        }
        give_up.send(()).unwrap();
        drop(group.join().unwrap().unwrap());
    });
    assert_eq!(other.lifetime.report().to_string(), "nothing in flight");
    assert_eq!((held.stops.lock().unwrap().len(), other.stops.lock().unwrap().len()), (1, 1));
}

/// Three unplugs wait for one role. Each is in the report, and stays there when another one has gone on.
#[test]
fn every_unplug_that_waits_for_a_role_is_in_the_report() {
    let (held, others) = (Device::new(), [Device::new(), Device::new(), Device::new()]);
    let waiting = || held.report().to_string().matches("the remover's role").count();
    thread::scope(|s| {
        let (holds, is_held) = mpsc::channel();
        let (give_up, is_given_up) = mpsc::channel::<()>();
        let device = &held;
        s.spawn(move || {
            let draining = device.begin_unplug(Cause::Unbind).unwrap();
            holds.send(()).unwrap();
            is_given_up.recv().unwrap();
            drop(draining);
        });
        is_held.recv().unwrap();
        let unplugs: Vec<_> =
            others.iter().map(|other| s.spawn(move || (other, device).unplug(Cause::Removal).map(drop))).collect();
        eventually("all three are named", || waiting() == 3);
        give_up.send(()).unwrap();
        let answers: Vec<_> = unplugs.into_iter().map(|unplug| unplug.join().unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    });
    assert_eq!(waiting(), 0);
    for other in others {
        drop(other.unplug(Cause::Unbind));
    }
}

/// Two unplugs run cancellations of one device. The first to end leaves the other one in the report.
#[test]
fn every_callback_that_runs_is_in_the_report() {
    let _watchdog = common::watchdog("two unplugs run callbacks of one device");
    let (device, held) = (Device::new(), Device::new());
    let (called, has_called) = mpsc::channel();
    let running = || device.lifetime.report().to_string().matches("a cancellation").count();
    thread::scope(|s| {
        let ends = [0, 1].map(|number| {
            let (end, ends) = mpsc::channel::<()>();
            let (ends, called, lifetime) = (std::sync::Mutex::new(ends), called.clone(), &device.lifetime);
            let (inside, is_inside) = mpsc::channel();
            s.spawn(move || {
                let access = lifetime.enter(op!("recv")).unwrap();
                let cancelled = std::sync::atomic::AtomicBool::new(false);
                let cancel = || {
                    called.send(number).unwrap();
                    ends.lock().unwrap().recv().unwrap();
                    cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
                };
                access.with_cancellation(cancel, || {
                    inside.send(()).unwrap();
                    eventually("it is cancelled", || cancelled.load(std::sync::atomic::Ordering::SeqCst));
                });
            });
            is_inside.recv().unwrap();
            end
        });
        let draining = held.begin_unplug(Cause::Unbind).unwrap();
        // It has no role yet, and tells the device whose flag it has set. The next one has the role, and tells it too.
        let group = s.spawn(|| (&device, &held).unplug(Cause::Unbind).map(drop));
        let first: usize = has_called.recv().unwrap();
        let alone = s.spawn(|| device.unplug(Cause::Unbind).map(drop));
        let second: usize = has_called.recv().unwrap();
        assert_eq!(running(), 2, "{}", device.lifetime.report());
        ends[second].send(()).unwrap();
        eventually("the second has ended", || running() < 2);
        assert_eq!(running(), 1, "{}", device.lifetime.report());
        ends[first].send(()).unwrap();
        assert_eq!(alone.join().unwrap(), Ok(()));
        drop(draining);
        assert_eq!(group.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
    });
    assert_eq!(running(), 0);
    drop(held.unplug(Cause::Unbind).unwrap());
}

#[test]
fn a_device_that_is_named_twice_refuses_the_group_and_all_stay_as_they_were() {
    let (one, other) = (Device::new(), Device::new());
    assert_eq!((&one, &other, &one).unplug(Cause::Unbind).err(), Some(UnplugError::NamedTwice));
    assert_eq!(vec![&one, &one].unplug(Cause::Unbind).err(), Some(UnplugError::NamedTwice));
    assert!(!one.lifetime.is_unplugged() && !other.lifetime.is_unplugged());
    assert_eq!(one.lifetime.cause(), None);
    drop((&one, &other).unplug(Cause::Unbind).unwrap());
}

#[test]
fn a_group_has_a_deadline_and_a_report_and_is_taken_over() {
    let (one, other) = (Device::new(), Device::new());
    let (leave, may_leave) = mpsc::channel::<()>();
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let lifetime = &other.lifetime;
        s.spawn(move || {
            let _access = lifetime.enter(op!("ioctl")).unwrap();
            inside.send(()).unwrap();
            may_leave.recv().unwrap();
        });
        is_inside.recv().unwrap();
        let group = (&one, &other);
        let draining = group.begin_unplug(Cause::Unbind).unwrap();
        let draining = draining.wait_for(std::time::Duration::from_millis(1)).unwrap_err();
        let report = draining.report();
        assert_eq!(report.stragglers().count(), 1);
        assert_eq!(report.to_string().lines().count(), 1, "{report}");
        drop(draining);
        let second = s.spawn(|| (&other, &one).unplug(Cause::SurpriseRemoval).map(drop));
        eventually("it takes over", || other.lifetime.cause() == Some(Cause::SurpriseRemoval));
        leave.send(()).unwrap();
        assert_eq!(second.join().unwrap(), Ok(()));
    });
    // The stop hooks ran under the first.
    assert_eq!((one.stops.lock().unwrap().len(), other.stops.lock().unwrap().len()), (1, 1));
}

/// One that lies about its parts: what it named first is what it gets, and nothing comes back without its own drain.
#[test]
fn parts_that_change_hand_nothing_back() {
    use fops_runtime::{Alone, DeviceLifetime, Parts, Unpluggable};
    struct Fickle {
        devices: [DeviceLifetime<u32>; 2],
        calls: std::sync::atomic::AtomicUsize,
        changes_at: usize,
    }
    impl Unpluggable for Fickle {
        type Resources = u32;
        fn parts(&self) -> impl Parts<Resources = u32> {
            let call = self.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let alone: &Alone<u32> = self.devices[usize::from(call >= self.changes_at)].alone();
            alone.parts()
        }
    }
    let devices = [DeviceLifetime::new(1), DeviceLifetime::new(2)];
    let fickle = Fickle { devices, calls: 0.into(), changes_at: 1 };
    let unplug = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| fickle.unplug(Cause::Unbind)));
    assert!(unplug.is_err());
    // The second was never flagged, and is as it was.
    assert!(fickle.devices[0].is_unplugged());
    assert_eq!(*fickle.devices[1].enter(op!("read")).unwrap(), 2);
    assert_eq!(fickle.devices[1].alone().unplug(Cause::Unbind), Ok(2));
}

#[test]
fn a_cause_that_gets_worse_is_told_to_all_that_go_together() {
    let (pulled, present) = (Device::new(), Device::new());
    let group = (&pulled, Present(&present));
    assert_eq!(group.cause(), None);
    group.escalate(Cause::SurpriseRemoval);
    drop(group.unplug(Cause::Unbind).unwrap());
    assert_eq!(group.cause(), Some(Cause::SurpriseRemoval));
    assert_eq!(*pulled.stops.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert_eq!(*present.stops.lock().unwrap(), [Cause::Removal]);
}

/// The operation that keeps the child's unplug waiting waits for the parent's hardware.
#[test]
fn an_unplug_that_waits_for_a_role_stops_the_devices_whose_role_is_free() {
    let _watchdog = common::watchdog("stop hooks of a group that waits");
    let (mut parent, child) = (Device::new(), Device::new());
    let (stop, is_stopped) = mpsc::channel();
    parent.on_stop = Some(Box::new(move |_| stop.send(()).unwrap()));
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let lifetime = &child.lifetime;
        s.spawn(move || {
            let _access = lifetime.enter(op!("streamoff")).unwrap();
            inside.send(()).unwrap();
            is_stopped.recv().unwrap();
        });
        is_inside.recv().unwrap();
        let alone = s.spawn(|| child.unplug(Cause::Unbind).map(drop));
        eventually("it is waited for", || child.lifetime.report().to_string().contains("waited for"));
        assert_eq!((&parent, &child).unplug(Cause::Unbind).map(drop), Err(UnplugError::AlreadyUnplugged));
        assert_eq!(alone.join().unwrap(), Ok(()));
    });
    drop(parent.unplug(Cause::Unbind).unwrap());
    assert_eq!(parent.stops.lock().unwrap().len(), 1);
}

/// What is left of a group one of which is gone has no hardware that runs on.
#[test]
fn a_group_that_is_refused_has_stopped_the_others() {
    let (left, gone) = (Device::new(), Device::new());
    drop(gone.unplug(Cause::Unbind).unwrap());
    assert_eq!((&left, &gone).unplug(Cause::SurpriseRemoval).err(), Some(UnplugError::AlreadyUnplugged));
    assert_eq!(*left.stops.lock().unwrap(), [Cause::SurpriseRemoval]);
    drop(left.unplug(Cause::Unbind).unwrap());
    assert_eq!(left.stops.lock().unwrap().len(), 1);
}

/// A callback of the first device needs a lock that a sleeper of the second one holds.
#[test]
fn all_sleepers_of_a_group_are_woken_before_any_callback_runs() {
    let _watchdog = common::watchdog("sleepers before callbacks");
    let (first, second, queue) = (Device::new(), Device::new(), WaitQueue::new());
    let (lock, cancelled) = (std::sync::Mutex::new(()), std::sync::atomic::AtomicBool::new(false));
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let access = second.lifetime.enter(op!("dqbuf")).unwrap();
            let _held = lock.lock().unwrap();
            access.wait_event(&queue, || None::<()>)
        });
        eventually("it sleeps", || queue.has_sleepers());
        let (lock, cancelled, lifetime) = (&lock, &cancelled, &first.lifetime);
        let (inside, is_inside) = mpsc::channel();
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            let cancel = || {
                drop(lock.lock());
                cancelled.store(true, std::sync::atomic::Ordering::SeqCst);
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                eventually("it is cancelled", || cancelled.load(std::sync::atomic::Ordering::SeqCst));
            });
        });
        is_inside.recv().unwrap();
        drop((&first, &second).unplug(Cause::Unbind).unwrap());
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
    });
}

/// The outer one waits for a role; its own callback would wait for it.
#[test]
fn an_unplug_from_a_callback_of_one_that_waits_for_a_role_is_refused() {
    let _watchdog = common::watchdog("an unplug inside an unplug");
    let (held, other) = (Device::new(), Device::new());
    let (answer, answers) = mpsc::channel();
    let done = std::sync::atomic::AtomicBool::new(false);
    let (done, held, other) = (&done, &held, &other);
    thread::scope(|s| {
        let draining = held.begin_unplug(Cause::Unbind).unwrap();
        let (inside, is_inside) = mpsc::channel();
        s.spawn(move || {
            let access = other.lifetime.enter(op!("recv")).unwrap();
            let cancel = || {
                answer.send(other.begin_unplug(Cause::Unbind).err()).unwrap();
                done.store(true, std::sync::atomic::Ordering::SeqCst);
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                eventually("it is cancelled", || done.load(std::sync::atomic::Ordering::SeqCst));
            });
        });
        is_inside.recv().unwrap();
        let group = s.spawn(move || (other, held).unplug(Cause::Unbind).map(drop));
        assert!(matches!(answers.recv().unwrap(), Some(UnplugError::Deadlock(_))));
        drop(draining);
        assert_eq!(group.join().unwrap(), Ok(()));
    });
}
