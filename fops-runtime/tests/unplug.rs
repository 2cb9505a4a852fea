//! The unplug sequence, step by step.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, Registers, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, UnplugError, Unplugged, WaitQueue, Work};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn the_resources_come_back_once() {
    let device = Device::new();
    drop(device.lifetime.enter(op!("read")).unwrap());
    let registers = device.unplug(Cause::Unbind).unwrap();
    assert_eq!(device.drops(), 0);
    drop(registers);
    assert_eq!(device.drops(), 1);
    assert_eq!(device.unplug(Cause::Unbind).err(), Some(UnplugError::AlreadyUnplugged));
    let dropped = device.dropped;
    drop(device);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn a_device_that_is_dropped_drops_its_resources() {
    let device = Device::new();
    let dropped = device.dropped;
    drop(device);
    assert_eq!(dropped.load(SeqCst), 1);
}

#[test]
fn no_section_opens_once_unplug_has_begun() {
    let device = Device::new();
    let draining = device.begin_unplug(Cause::Removal).unwrap();
    assert_eq!(device.lifetime.enter(op!("read")).err(), Some(Unplugged));
    assert!(device.lifetime.is_unplugged());
    drop(draining.wait());
    assert_eq!(device.lifetime.enter(op!("read")).err(), Some(Unplugged));
}

#[test]
fn unplug_waits_for_the_section_in_flight_and_frees_nothing_before() {
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let device = &device;
        s.spawn(move || {
            let outer = device.lifetime.enter(op!("ioctl")).unwrap();
            let inner = device.lifetime.enter(op!("nested")).unwrap();
            inside.send(()).unwrap();
            wait_leave.recv().unwrap();
            assert_eq!((outer.0.load(SeqCst), inner.0.load(SeqCst)), (0, 0), "freed under an open section");
            drop(outer);
            drop(inner);
        });
        wait_inside.recv().unwrap();
        let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(Duration::from_millis(20)).unwrap_err();
        assert_eq!(draining.report().stragglers().count(), 2);
        assert_eq!(device.drops(), 0);
        leave.send(()).unwrap();
        drop(draining.wait());
        assert_eq!(device.drops(), 1);
    });
}

#[test]
fn stragglers_are_named() {
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let device = &device;
        let worker = thread::Builder::new().name("wedged".into());
        let (section, line) = (op!("dqbuf"), line!());
        worker
            .spawn_scoped(s, move || {
                let _access = device.lifetime.enter(section).unwrap();
                inside.send(()).unwrap();
                wait_leave.recv().unwrap();
            })
            .unwrap();
        wait_inside.recv().unwrap();
        assert!(
            device.lifetime.report().stragglers().all(|straggler| straggler.waited().is_none()),
            "nobody waits yet"
        );
        let limit = Duration::from_millis(30);
        let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(limit).unwrap_err();
        let stragglers: Vec<_> = draining.report().stragglers().collect();
        let [straggler] = stragglers[..] else { panic!("{stragglers:?}") };
        let op = straggler.op().unwrap();
        assert_eq!((op.name(), op.type_name()), ("dqbuf", module_path!()));
        assert_eq!(op.location().file(), file!());
        assert_eq!(op.location().line(), line);
        assert!(straggler.waited().unwrap() >= limit);
        let text = draining.report().to_string();
        for part in ["unplug::dqbuf (", "tests/unplug.rs:", "\"wedged\"", "waited for"] {
            assert!(text.contains(part), "no {part} in: {text}");
        }
        leave.send(()).unwrap();
        drop(draining.wait());
        assert_eq!(device.lifetime.report().to_string(), "nothing in flight");
    });
}

#[test]
fn unplug_from_inside_is_refused_and_leaves_the_device_plugged() {
    let device = Device::new();
    let access = device.lifetime.enter(op!("ioctl")).unwrap();
    assert!(matches!(device.begin_unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
    assert!(!device.lifetime.is_unplugged());
    // Another device may go from here.
    drop(Device::new().unplug(Cause::Unbind).unwrap());
    drop(access);
    drop(device.unplug(Cause::Unbind).unwrap());
}

#[test]
fn unplug_from_the_stop_hook_is_refused() {
    static SEEN: std::sync::Mutex<Option<UnplugError>> = std::sync::Mutex::new(None);
    let mut device = Device::new();
    device.on_stop = Some(Box::new(|device| *SEEN.lock().unwrap() = device.unplug(Cause::Unbind).err()));
    drop(device.unplug(Cause::Unbind).unwrap());
    assert!(matches!(*SEEN.lock().unwrap(), Some(UnplugError::Deadlock(_))));
}

#[test]
fn stop_is_told_the_cause_and_runs_once() {
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let device = &device;
        s.spawn(move || {
            let _access = device.lifetime.enter(op!("read")).unwrap();
            inside.send(()).unwrap();
            wait_leave.recv().unwrap();
        });
        wait_inside.recv().unwrap();
        // The first gives up; the next takes over, and stop does not run again.
        drop(device.begin_unplug(Cause::SurpriseRemoval).unwrap().wait_for(Duration::ZERO).unwrap_err());
        assert_eq!(device.drops(), 0);
        let draining = device.begin_unplug(Cause::Unbind).unwrap();
        leave.send(()).unwrap();
        drop(draining.wait());
    });
    assert_eq!(*device.stops.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert_eq!(device.drops(), 1);
}

#[test]
fn a_second_unplug_waits_for_the_first() {
    let device = Device::new();
    thread::scope(|s| {
        let draining = device.begin_unplug(Cause::Unbind).unwrap();
        let (done, is_done) = mpsc::channel();
        let device = &device;
        s.spawn(move || done.send(device.unplug(Cause::Removal).err()).unwrap());
        assert!(is_done.recv_timeout(Duration::from_millis(50)).is_err(), "it did not wait");
        drop(draining.wait());
        assert_eq!(is_done.recv_timeout(DEADLINE).unwrap(), Some(UnplugError::AlreadyUnplugged));
    });
}

#[test]
fn a_waiting_unplug_takes_over_from_one_that_gives_up() {
    let _watchdog = common::watchdog("take-over");
    let device = Device::new();
    thread::scope(|s| {
        let draining = device.begin_unplug(Cause::Unbind).unwrap();
        let second = s.spawn(|| device.unplug(Cause::Removal).is_ok());
        // It waits for the role by now: nothing but its wake-up has it look again.
        eventually("it waits", || device.lifetime.report().to_string().contains("the remover's role"));
        drop(draining);
        assert!(second.join().unwrap());
    });
    assert_eq!((device.drops(), device.stops.lock().unwrap().len()), (1, 1));
}

#[test]
fn the_wake_hook_is_repeated_while_the_drain_lasts() {
    // The section sleeps where only the driver can wake it, and undoes the first wakes.
    static WOKEN: AtomicBool = AtomicBool::new(false);
    let mut device = Device::new();
    device.on_wake = Some(Box::new(|device| WOKEN.store(device.wakes.load(SeqCst) >= 4, SeqCst)));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let device = &device;
        s.spawn(move || {
            let _access = device.lifetime.enter(op!("streamoff")).unwrap();
            inside.send(()).unwrap();
            eventually("the wake hook", || WOKEN.load(SeqCst));
        });
        wait_inside.recv().unwrap();
        drop(device.unplug(Cause::Unbind).unwrap());
    });
    assert!(device.wakes.load(SeqCst) >= 4);
}

#[test]
fn the_wake_hook_is_repeated_for_a_remover_that_polls() {
    let mut device = Device::new();
    device.on_wake = Some(Box::new(|_| {}));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let device = &device;
        s.spawn(move || {
            let _access = device.lifetime.enter(op!("streamoff")).unwrap();
            inside.send(()).unwrap();
            eventually("the wake hook", || device.wakes.load(SeqCst) >= 4);
        });
        wait_inside.recv().unwrap();
        let mut draining = device.begin_unplug(Cause::Unbind).unwrap();
        loop {
            match draining.wait_for(Duration::ZERO) {
                Ok(registers) => return drop(registers),
                Err(left) => draining = left,
            }
        }
    });
}

#[test]
fn a_panic_in_a_hook_loses_neither_the_unplug_nor_the_resources() {
    let mut device = Device::new();
    device.on_stop = Some(Box::new(|_| panic!("in stop, on purpose")));
    device.on_wake = Some(Box::new(|_| panic!("in wake, on purpose")));
    drop(device.unplug(Cause::Unbind).unwrap());
    assert_eq!(device.drops(), 1);
}

#[test]
fn a_panic_in_a_section_gives_it_back() {
    let device = Device::new();
    let panicked = thread::scope(|s| {
        s.spawn(|| {
            let _access = device.lifetime.enter(op!("read")).unwrap();
            panic!("in an operation, on purpose");
        })
        .join()
    });
    assert!(panicked.is_err());
    drop(device.unplug(Cause::Unbind).unwrap());
}

#[test]
fn a_hook_that_hangs_is_reported_to_others() {
    static LEAVE: AtomicBool = AtomicBool::new(false);
    let mut device = Device::new();
    device.on_stop = Some(Box::new(|_| eventually("being let go", || LEAVE.load(SeqCst))));
    thread::scope(|s| {
        s.spawn(|| drop(device.unplug(Cause::Unbind).unwrap()));
        let hook = || device.lifetime.report().stragglers().any(|straggler| matches!(straggler.work(), Work::StopHook));
        eventually("the hook in the report", hook);
        LEAVE.store(true, SeqCst);
    });
}

#[test]
fn a_forgotten_access_hangs_its_own_device_alone() {
    let device: &'static Device = Box::leak(Box::new(Device::new()));
    thread::spawn(|| std::mem::forget(device.lifetime.enter(op!("leaky")).unwrap())).join().unwrap();
    let limit = Duration::from_millis(20);
    let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(limit).unwrap_err();
    assert!(draining.report().to_string().contains("leaky"));
    assert_eq!(device.drops(), 0);
    // Neither a device that comes later at the same address nor another one is held up by it.
    let mut place = Box::new(DeviceLifetime::new(1));
    let address = &raw const *place;
    std::mem::forget(place.enter(op!("leaky too")).unwrap());
    *place = DeviceLifetime::new(2);
    assert_eq!(&raw const *place, address);
    thread::scope(|s| {
        assert_eq!(s.spawn(|| place.alone().begin_unplug(Cause::Unbind).unwrap().wait()).join().unwrap(), 2)
    });
}

#[test]
fn pollers_are_woken_at_the_flag_and_after_the_drain() {
    struct Counts(std::sync::atomic::AtomicUsize);
    impl fops_runtime::Poller for Counts {
        fn wake(&self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let device = Device::new();
    let counts = std::sync::Arc::new(Counts(0.into()));
    let poller: std::sync::Arc<dyn fops_runtime::Poller> = counts.clone();
    fops_runtime::PollTable::new(fops_runtime::PollEvents::IN, &poller).wait(device.lifetime.pollers());
    let draining = device.begin_unplug(Cause::Unbind).unwrap();
    assert_eq!(counts.0.load(SeqCst), 1);
    drop(draining.wait());
    assert_eq!(counts.0.load(SeqCst), 2);
}

#[test]
fn many_sections_are_all_waited_for() {
    // More than one block of slots.
    let device = Device::new();
    let accesses: Vec<_> = (0..1000).map(|_| device.lifetime.enter(op!("many")).unwrap()).collect();
    assert!(matches!(device.begin_unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
    drop(accesses);
    let queue = WaitQueue::new();
    thread::scope(|s| {
        let sleepers: Vec<_> = (0..100)
            .map(|_| {
                s.spawn(|| match device.lifetime.enter(op!("sleeper")) {
                    Ok(access) => access.wait_event(&queue, || None::<()>).is_err(),
                    Err(_) => true,
                })
            })
            .collect();
        let _: Registers = device.unplug(Cause::Unbind).unwrap();
        assert!(sleepers.into_iter().all(|sleeper| sleeper.join().unwrap()));
    });
}

/// A deadline covers the hook of an unplug on another thread.
#[test]
fn an_unplug_that_waits_for_another_ones_hook_keeps_its_deadline() {
    let _watchdog = common::watchdog("a deadline of an unplug that waits for another one");
    let limit = Duration::from_millis(10);
    let (mut device, other) = (Device::new(), Device::new());
    let ((hangs, is_hanging), (go, may_go)) = (mpsc::channel(), mpsc::channel::<()>());
    let may_go = std::sync::Mutex::new(may_go);
    device.on_stop = Some(Box::new(move |_| {
        hangs.send(()).unwrap();
        may_go.lock().unwrap().recv().unwrap();
    }));
    let group = (&other, &device);
    thread::scope(|s| {
        let first = s.spawn(|| device.unplug(Cause::Unbind).map(drop));
        is_hanging.recv().unwrap();
        for _ in 0..2 {
            let began = std::time::Instant::now();
            assert_eq!(group.begin_unplug_for(Cause::Unbind, limit).err(), Some(UnplugError::Busy));
            assert!(began.elapsed() >= limit);
            let report = group.report().to_string();
            assert!(report.contains("the stop hook") && !report.contains("role"), "{report}");
        }
        // What no other unplug has is closed and stopped, once.
        assert!(other.lifetime.is_unplugged());
        assert_eq!(*other.stops.lock().unwrap(), [Cause::Unbind]);
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), Ok(()));
    });
    assert_eq!(group.begin_unplug_for(Cause::Unbind, limit).err(), Some(UnplugError::AlreadyUnplugged));
    let draining = other.begin_unplug_for(Cause::Unbind, limit).expect("nobody else has it");
    drop(draining.wait_for(limit).expect("nobody is inside"));
}
