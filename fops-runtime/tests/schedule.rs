//! An operation that wants its own device gone.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually};
use fops_runtime::{Cause, Unplug, UnplugError, WaitError, WaitQueue, op};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, mpsc};

#[test]
fn the_unplug_runs_after_the_operation_that_asked_for_it() {
    let (device, queue) = (Arc::new(Device::new()), WaitQueue::new());
    let (done, is_done) = mpsc::channel();
    {
        let access = device.lifetime.enter(op!("ioctl")).unwrap();
        let thread = std::thread::current().id();
        let then = move |device: Arc<Device>, registers: Result<_, _>| {
            assert_ne!(std::thread::current().id(), thread);
            assert_eq!(device.drops(), 0, "torn down before it is handed over");
            drop(registers.unwrap());
            done.send(device.drops()).unwrap();
        };
        device.clone().schedule_unplug(Cause::SurpriseRemoval, then).unwrap();
        eventually("the flag", || access.is_unplugging());
        // The operation is told as every other one, and its resources stay until it returns.
        assert_eq!(access.wait_event(&queue, || None::<()>), Err(WaitError::Unplugged));
        eventually("the drain", || device.lifetime.report().stragglers().any(|s| s.op().is_some()));
        assert_eq!(access.0.load(SeqCst), 0);
        assert!(is_done.try_recv().is_err());
    }
    assert_eq!(is_done.recv_timeout(DEADLINE), Ok(1));
    assert_eq!(*device.stops.lock().unwrap(), [Cause::SurpriseRemoval]);
    // Nothing keeps the device after that.
    eventually("the thread's end", || Arc::strong_count(&device) == 1);
}

#[test]
fn whoever_is_second_learns_it() {
    let device = Arc::new(Device::new());
    let (done, is_done) = mpsc::channel();
    let access = device.lifetime.enter(op!("ioctl")).unwrap();
    for _ in 0..2 {
        let done = done.clone();
        let then = move |_: Arc<Device>, registers: Result<_, _>| done.send(registers.err()).unwrap();
        device.clone().schedule_unplug(Cause::Removal, then).unwrap();
    }
    drop(access);
    let mut answers = [is_done.recv_timeout(DEADLINE).unwrap(), is_done.recv_timeout(DEADLINE).unwrap()];
    answers.sort_by_key(Option::is_some);
    assert_eq!(answers, [None, Some(UnplugError::AlreadyUnplugged)]);
    assert_eq!((device.drops(), device.stops.lock().unwrap().len()), (1, 1));
}

#[test]
fn a_teardown_that_panics_loses_neither_the_resources_nor_the_process() {
    let device = Arc::new(Device::new());
    let then = |_: Arc<Device>, _registers: Result<_, _>| panic!("the test's own");
    device.clone().schedule_unplug(Cause::Removal, then).unwrap();
    eventually("the resources are dropped", || device.drops() == 1);
    eventually("the device is let go", || Arc::strong_count(&device) == 1);
}
