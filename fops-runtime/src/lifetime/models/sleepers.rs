//! Sleeps, and what ends them.
use super::{Arc, Registers, device, model, spawn, unplug};
use crate::lifetime::DeviceLifetime;
use crate::op::op;
use crate::wait::{Request, WaitError, WaitQueue};
use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

#[test]
fn a_sleeper_against_unplug() {
    model(|| {
        let (device, queue) = (device(), Arc::new(WaitQueue::new()));
        let sleeper = spawn!(|device, queue| {
            if let Ok(access) = device.enter(op!("read")) {
                assert_eq!(access.wait_event(&queue, || None::<()>), Err(WaitError::Unplugged));
                assert_eq!(access.read(), 7);
            }
        });
        unplug(&device);
        sleeper.join().unwrap();
    });
}

/// The thread is inside the device's section, and sleeps for something else.
#[test]
fn a_sleeper_for_no_device_against_unplug() {
    model(|| {
        let device = device();
        let sleeper = spawn!(|device| {
            if let Ok(_access) = device.enter(op!("read")) {
                assert_eq!(WaitQueue::new().wait_event(None, || None::<()>), Err(WaitError::Unplugged));
            }
        });
        unplug(&device);
        sleeper.join().unwrap();
    });
}

#[test]
fn a_sleeper_against_a_wake_up() {
    model(|| {
        let (queue, ready) = (Arc::new(WaitQueue::new()), Arc::new(AtomicBool::new(false)));
        let sleeper = spawn!(|queue, ready| {
            let condition = || ready.load(Relaxed).then_some(());
            assert_eq!(queue.wait_event(None, condition), Ok(Some(())));
        });
        ready.store(true, Relaxed);
        queue.wake_all();
        sleeper.join().unwrap();
    });
}

#[test]
fn a_sleeper_against_a_signal() {
    model(|| {
        let request = Request::new(None);
        let sleeper = spawn!(|request| {
            let queue = WaitQueue::new();
            let wait = queue.wait_as(&request, || None::<()>);
            assert_eq!(wait, Err(WaitError::Interrupted));
        });
        request.interrupt();
        sleeper.join().unwrap();
    });
}

#[test]
fn what_was_done_before_an_event_is_seen_after_it() {
    model(|| {
        let (request, data) = (Request::new(None), Arc::new(Registers::new()));
        let sleeper = spawn!(|request, data| {
            let before = request.event();
            if before == 0 {
                request.sleep(before, None);
            }
            if request.event() != 0 {
                assert_eq!(data.read(), 0xdead);
            }
        });
        data.destroy();
        request.wake();
        sleeper.join().unwrap();
    });
}

#[test]
fn a_cancellation_against_unplug() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| {
            let Ok(access) = device.enter(op!("recv")) else { return };
            let (cancelled, calls) = (AtomicBool::new(false), AtomicUsize::new(0));
            let cancel = || {
                calls.fetch_add(1, Relaxed);
                cancelled.store(true, Relaxed);
            };
            // A sleep that nothing but the cancellation ends.
            access.with_cancellation(cancel, || {
                while !cancelled.load(Relaxed) {
                    loom::thread::yield_now();
                }
            });
            assert_eq!(calls.load(Relaxed), 1);
        });
        unplug(&device);
        operation.join().unwrap();
    });
}

/// It is over when unplug comes, or unplug is calling it: then it is waited for.
#[test]
fn a_cancellation_that_is_taken_back_against_unplug() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| {
            let Ok(access) = device.enter(op!("recv")) else { return };
            let stack = Registers::new();
            access.with_cancellation(|| assert_eq!(stack.read(), 7), || ());
            // What it looks at goes.
            stack.destroy();
        });
        unplug(&device);
        operation.join().unwrap();
    });
}

#[test]
fn a_completion_against_unplug() {
    model(|| {
        let device = Arc::new(DeviceLifetime::new(Registers::new()));
        let ended = Arc::new(AtomicUsize::new(0));
        let completion = spawn!(|device, ended| {
            let Ok(access) = device.enter_owned(op!("transfer")) else { return 0 };
            let pending = access.into_pending(ended, |access, ended| {
                assert_eq!(access.read(), 7);
                ended.fetch_add(1, Relaxed);
            });
            if let Ok((access, ended)) = pending.complete() {
                assert_eq!(access.read(), 7);
                ended.fetch_add(1, Relaxed);
            }
            1
        });
        unplug(&device);
        assert_eq!(ended.load(Relaxed), completion.join().unwrap(), "completed or cancelled, once");
    });
}
