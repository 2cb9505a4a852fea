//! Removal: once, with the worst cause, and gone when it says so.
use crate::common::{DEADLINE, eventually};
use crate::driver::{REMOVE_ME, SLEEP, bus, held};
use fops_runtime::op::op;
use fops_runtime::{Cause, Errno, OpenFlags, Unplug};
use std::sync::atomic::Ordering::SeqCst;
use std::thread;

#[test]
fn a_second_unbind_waits_for_the_first_and_remove_runs_once() {
    let (bus, script) = bus(&["a"]);
    assert_eq!(bus.name(), "test");
    assert_eq!(bus.drivers(), [("test".to_owned(), vec![])]);
    bus.bind("test", "a").unwrap();
    assert_eq!(bus.drivers(), [("test".to_owned(), vec!["a".to_owned()])]);
    let file = bus.devices().open("node0", OpenFlags::RDWR).unwrap();
    let sleeper = thread::spawn(move || file.ioctl(SLEEP, &mut []));
    let node = bus.devices().get("node0").unwrap();
    eventually("the sleeper", || node.running() == 1);
    assert_eq!(bus.last_unplug("a"), None);
    let first = bus.unbind("test", "a").unwrap();
    // The first may be done by now.
    let second = bus.unbind("test", "a").unwrap_or_else(|_| first.clone());
    for removal in [&first, &second] {
        removal.wait().unwrap();
    }
    let records = first.records();
    assert!(records.starts_with("unbind of device "), "{records}");
    assert!(records.contains(": 1 in flight, 1 woken, 0 cancelled, 0 refused; told after "), "{records}");
    assert_eq!(bus.last_unplug("a"), Some(records));
    assert_eq!(sleeper.join().unwrap(), Err(Errno::ENODEV));
    let late: Vec<_> = node.answers().iter().map(|answer| (answer.call, answer.client, answer.errno)).collect();
    assert_eq!(late, [("ioctl", None, Some(Errno::ENODEV))]);
    let printed = node.answers()[0].to_string();
    let (what, when) = printed.split_once("ENODEV ").unwrap();
    assert_eq!((what, when.ends_with("s after the flag")), ("ioctl of a thread of this process answered ", true));
    assert_eq!(*script.removed.lock().unwrap(), [Cause::Unbind]);
    assert_eq!(bus.unbind("test", "a").err(), Some(Errno::ENODEV));
}

#[test]
fn an_operation_may_ask_for_its_own_device_to_go() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let file = bus.devices().open("node0", OpenFlags::RDWR).unwrap();
    assert_eq!(file.ioctl(REMOVE_ME, &mut []), Err(Errno::ENODEV));
    eventually("the removal", || *script.removed.lock().unwrap() == [Cause::Removal]);
    eventually("the bus", || bus.device_names().is_empty());
    drop(file);
    bus.rescan().unwrap();
    assert_eq!(bus.device_names(), [("a".to_owned(), Some("test".to_owned()))]);
}

#[test]
fn a_device_that_is_removed_is_gone_until_it_is_found_again() {
    let (bus, script) = bus(&["a", "b", "c"]);
    bus.bind("test", "a").unwrap();
    bus.bind("test", "b").unwrap();
    for device in ["a", "c"] {
        bus.remove(device, Cause::Removal).unwrap().wait().unwrap();
        assert_eq!(bus.bind("test", device), Err(Errno::ENODEV));
        assert_eq!(bus.remove(device, Cause::Removal).err(), Some(Errno::ENODEV));
        assert_eq!(bus.unbind("test", device).err(), Some(Errno::ENODEV));
    }
    assert_eq!(*script.removed.lock().unwrap(), [Cause::Removal]);
    assert_eq!(bus.device_names(), [("b".to_owned(), Some("test".to_owned()))]);
    // What had no driver gets none; what cannot be bound is on the bus all the same.
    script.fail_probe.store(true, SeqCst);
    assert_eq!(bus.rescan(), Err(Errno::ENXIO));
    let names = bus.device_names();
    assert_eq!(
        names.iter().map(|(name, driver)| (&**name, driver.is_some())).collect::<Vec<_>>(),
        [("a", false), ("b", true), ("c", false)]
    );
    assert_eq!(bus.rescan(), Ok(()));
    // One that comes by itself is bound by whoever wants to.
    bus.remove("b", Cause::Removal).unwrap().wait().unwrap();
    script.fail_probe.store(false, SeqCst);
    bus.add_device("b").unwrap();
    assert_eq!(bus.add_device("b"), Err(Errno::EEXIST));
    assert_eq!(bus.rescan(), Ok(()));
    bus.bind("test", "b").unwrap();
}

#[test]
fn an_unbind_may_turn_into_a_surprise_removal() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let device = script.probed.lock().unwrap()[0].1.upgrade().unwrap();
    // A removal that cannot finish: this thread is inside.
    let access = device.lifetime.enter(op!("test")).unwrap();
    let unbind = bus.unbind("test", "a").unwrap();
    eventually("the flag", || device.lifetime.is_unplugged());
    let surprise = bus.remove("a", Cause::SurpriseRemoval).unwrap();
    drop(access);
    drop(device);
    unbind.wait().unwrap();
    surprise.wait().unwrap();
    assert_eq!(unbind.cause(), Cause::SurpriseRemoval);
    assert_eq!(*script.removed.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert!(bus.device_names().is_empty(), "the device went, not only its driver");
}

/// The driver finds the hardware gone while it is unbound, and says so to its device alone.
#[test]
fn a_cause_that_the_driver_finds_out_is_what_remove_is_told() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let device = script.probed.lock().unwrap()[0].1.upgrade().unwrap();
    let access = device.lifetime.enter(op!("test")).unwrap();
    let unbind = bus.unbind("test", "a").unwrap();
    eventually("the flag", || device.lifetime.is_unplugged());
    Unplug::escalate(&*device, Cause::SurpriseRemoval);
    drop(access);
    drop(device);
    unbind.wait().unwrap();
    assert_eq!(unbind.cause(), Cause::Unbind);
    assert_eq!(*script.removed.lock().unwrap(), [Cause::SurpriseRemoval]);
}

#[test]
fn a_device_that_goes_during_probe_is_removed_after_it() {
    let (bus, script) = bus(&["a"]);
    let (is_running, go) = held(&script.hold_probe);
    let binder = {
        let bus = bus.clone();
        thread::spawn(move || bus.bind("test", "a"))
    };
    is_running.recv_timeout(DEADLINE).unwrap();
    assert_eq!(bus.bind("test", "a"), Err(Errno::EBUSY));
    assert_eq!(bus.unbind("test", "a").err(), Some(Errno::ENODEV));
    assert_eq!(bus.unregister_driver("test"), Err(Errno::EBUSY));
    let removal = bus.remove("a", Cause::SurpriseRemoval).unwrap();
    assert_eq!(removal.stragglers(), "the probe of test");
    go.send(()).unwrap();
    assert_eq!(binder.join().unwrap(), Err(Errno::ENODEV));
    removal.wait().unwrap();
    assert_eq!(removal.stragglers(), "");
    assert_eq!(*script.removed.lock().unwrap(), [Cause::SurpriseRemoval]);
    assert!(bus.devices().all().is_empty());
}

#[test]
fn a_removal_says_that_it_waits_for_the_drivers_own_code() {
    let (bus, script) = bus(&["a"]);
    bus.bind("test", "a").unwrap();
    let (removes, finish_remove) = held(&script.hold_remove);
    let (drops, finish_drop) = held(&script.hold_drop);
    let removal = bus.unbind("test", "a").unwrap();
    removes.recv_timeout(DEADLINE).unwrap();
    assert_eq!(removal.stragglers(), "the driver's remove");
    finish_remove.send(()).unwrap();
    drops.recv_timeout(DEADLINE).unwrap();
    assert_eq!(removal.stragglers(), "the driver's state, which is dropped");
    finish_drop.send(()).unwrap();
    removal.wait_for(DEADLINE).unwrap().expect("it goes in time");
    assert_eq!(removal.stragglers(), "");
}

#[test]
fn a_driver_that_panics_loses_no_removal() {
    let (bus, script) = bus(&["a"]);
    script.panic_in_remove.store(true, SeqCst);
    bus.bind("test", "a").unwrap();
    assert_eq!(bus.unbind("test", "a").unwrap().wait(), Err(Errno::EIO));
    assert_eq!(script.removed.lock().unwrap().len(), 1);
    assert!(bus.devices().all().is_empty());
    script.panic_in_remove.store(false, SeqCst);
    bus.bind("test", "a").unwrap();
    bus.unbind("test", "a").unwrap().wait().unwrap();
}
