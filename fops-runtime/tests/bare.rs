//! The core without std: the same promises, by spinning. Run with `--no-default-features`.
#![cfg(not(feature = "std"))]
mod common;

use common::{Device, eventually};
use fops_runtime::op::op;
use fops_runtime::{AfterUnplug, Cause, Errno, PollEvents, Unplug, Unplugged};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

/// The slots are the process's: a test that counts them has them to itself.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn answers_need_no_std() {
    assert_eq!(<fops_runtime::Result<usize>>::after_unplug(), Err(Errno::ENODEV));
    assert_eq!(PollEvents::after_unplug(), PollEvents::ERR | PollEvents::HUP | PollEvents::PRI);
}

#[test]
fn unplug_waits_for_more_sections_than_there_are_slots() {
    let _alone = alone();
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let device = &device;
        s.spawn(move || {
            let sections: Vec<_> = (0..100).map(|_| device.lifetime.enter(op!("many")).unwrap()).collect();
            inside.send(()).unwrap();
            wait_leave.recv().unwrap();
            assert!(sections.iter().all(|section| section.0.load(SeqCst) == 0), "freed under an open section");
        });
        wait_inside.recv().unwrap();
        let remover = s.spawn(|| drop(device.unplug(Cause::Unbind).unwrap()));
        eventually("the flag", || device.lifetime.is_unplugged());
        // Without the hook that may be running; the other tests of this program may have had a slot at the time.
        let named = || device.lifetime.report().stragglers().filter(|one| one.op().is_some()).count();
        eventually("the report", || (60..=64).contains(&named()));
        assert_eq!(named() + device.lifetime.report().unnamed(), 100);
        assert_eq!((device.drops(), device.lifetime.enter(op!("late")).err()), (0, Some(Unplugged)));
        leave.send(()).unwrap();
        remover.join().unwrap();
    });
    assert_eq!(device.drops(), 1);
}

#[test]
fn cancellations_and_hooks_run() {
    let _alone = alone();
    let device = Device::new();
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (wake, sleep) = mpsc::channel();
        let device = &device;
        s.spawn(move || {
            let access = device.lifetime.enter(op!("recv")).unwrap();
            access.with_cancellation(
                || wake.send(()).unwrap(),
                || {
                    inside.send(()).unwrap();
                    sleep.recv().unwrap();
                },
            );
        });
        wait_inside.recv().unwrap();
        drop(device.unplug(Cause::Removal).unwrap());
    });
    assert_eq!(*device.stops.lock().unwrap(), [Cause::Removal]);
}

/// Nothing can catch a panic without std: the program ends, instead of an unplug that never does.
#[test]
fn a_hook_or_a_cancellation_that_panics_aborts() {
    const CHILD: &str = "FOPS_BARE_CHILD";
    let unplug = |what: &str| {
        let mut device = Device::new();
        match what {
            "stop" => device.on_stop = Some(Box::new(|_| panic!("the stop hook"))),
            "wake" => device.on_wake = Some(Box::new(|_| panic!("the wake hook"))),
            _ => {}
        }
        if what == "cancellation" {
            let access = device.lifetime.enter(op!("recv")).unwrap();
            let cancelled = std::sync::atomic::AtomicBool::new(false);
            let cancel = || panic!("the cancellation");
            thread::scope(|s| {
                s.spawn(|| drop(device.unplug(Cause::Unbind)));
                access.with_cancellation(cancel, || eventually("never", || cancelled.load(SeqCst)));
            });
        } else {
            drop(device.unplug(Cause::Unbind));
        }
    };
    if let Ok(what) = std::env::var(CHILD) {
        return unplug(&what);
    }
    for what in ["stop", "wake", "cancellation"] {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        child.args(["a_hook_or_a_cancellation_that_panics_aborts", "--exact"]).env(CHILD, what);
        let mut child = child.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap();
        let mut status = None;
        eventually(what, || {
            status = child.try_wait().unwrap();
            status.is_some()
        });
        let signal = std::os::unix::process::ExitStatusExt::signal(&status.unwrap());
        assert_eq!(signal, Some(6), "{what}: {status:?}");
    }
}
