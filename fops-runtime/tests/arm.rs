//! Starts of the hardware, and the stop hook.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually, watchdog};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, UnplugError, Unplugged, WaitError, WaitQueue, Work};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;

#[test]
fn the_stop_hook_comes_after_a_start_that_is_running() {
    static RUNNING: AtomicBool = AtomicBool::new(false);
    let _watchdog = watchdog("a start");
    let mut device = Device::new();
    device.on_stop = Some(Box::new(|_| assert!(RUNNING.swap(false, SeqCst), "stopped before it was started")));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (go, wait_go) = mpsc::channel::<()>();
        let device = &device;
        let starts = s.spawn(move || {
            let access = device.lifetime.enter(op!("streamon")).unwrap();
            let started = access.arm(|| {
                inside.send(()).unwrap();
                wait_go.recv_timeout(DEADLINE).unwrap();
                RUNNING.store(true, SeqCst);
            });
            // The end of the start is enough: the section goes on.
            eventually("the stop hook", || !device.stops.lock().unwrap().is_empty());
            started
        });
        wait_inside.recv().unwrap();
        let unplug = s.spawn(|| drop(device.unplug(Cause::Unbind).unwrap()));
        eventually("the flag", || device.lifetime.is_unplugged());
        let report = device.lifetime.report();
        assert!(report.stragglers().any(|straggler| matches!(straggler.work(), Work::Start)), "{report}");
        assert!(report.to_string().starts_with("a start of the hardware, thread "));
        // The other thread sleeps or is about to; in neither case is the hook called.
        thread::yield_now();
        assert!(device.stops.lock().unwrap().is_empty(), "it is still starting");
        go.send(()).unwrap();
        assert_eq!(starts.join().unwrap(), Ok(()));
        unplug.join().unwrap();
    });
    assert_eq!(*device.stops.lock().unwrap(), [Cause::Unbind]);
    assert!(!RUNNING.load(SeqCst), "it was handed back with the hardware running");
}

#[test]
fn a_start_behind_the_flag_is_refused() {
    let device = Arc::new(Device::new());
    let access = device.lifetime.enter(op!("streamon")).unwrap();
    thread::scope(|s| {
        let unplug = s.spawn(|| drop(device.unplug(Cause::Unbind).unwrap()));
        eventually("the stop hook has run", || !device.stops.lock().unwrap().is_empty());
        assert_eq!(access.arm(|| unreachable!()), Err::<(), _>(Unplugged));
        drop(access);
        unplug.join().unwrap();
    });
}

#[test]
fn a_start_that_panics_is_over() {
    let _watchdog = watchdog("a start that panicked");
    let device = Device::new();
    {
        let access = device.lifetime.enter(op!("streamon")).unwrap();
        let start = || access.arm(|| panic!("as a driver might"));
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(start));
        assert!(caught.is_err());
    }
    drop(device.unplug(Cause::Unbind).unwrap());
}

#[test]
fn a_start_that_sleeps_is_woken() {
    let _watchdog = watchdog("a start that sleeps");
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let device = &device;
        let starts = s.spawn(move || {
            let (access, never) = (device.lifetime.enter(op!("streamon")).unwrap(), WaitQueue::new());
            access.arm(|| {
                inside.send(()).unwrap();
                access.wait_event(&never, || None::<()>)
            })
        });
        wait_inside.recv().unwrap();
        drop(device.unplug(Cause::Unbind).unwrap());
        assert_eq!(starts.join().unwrap(), Ok(Err(WaitError::Unplugged)));
    });
}

#[test]
fn unplug_from_inside_a_start_is_refused() {
    let lifetime = Arc::new(DeviceLifetime::new(()));
    let access = lifetime.enter_owned(op!("streamon")).unwrap();
    assert!(matches!(access.arm(|| lifetime.alone().unplug(Cause::Unbind)), Ok(Err(UnplugError::Deadlock(_)))));
    assert!(!lifetime.is_unplugged());
    drop(access);
    lifetime.alone().unplug(Cause::Unbind).unwrap();
}
