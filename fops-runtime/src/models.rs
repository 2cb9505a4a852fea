//! Models of the gate and of the unplug sequence, run by loom in every order that the memory model allows:
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p fops-runtime --no-default-features --release --lib models`
//!
//! The resources of each model are a cell that loom watches: a read that is not ordered before the write of the
//! remover is a failure, and so is a thread that sleeps for ever.
extern crate std;

use crate::platform::{Edge, go_without};
use crate::{Cause, DeviceLifetime, UnplugError, op};
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering::Relaxed};
use loom::thread;
use std::vec::Vec;

/// Registers that must not be read once the remover writes to them.
struct Registers(UnsafeCell<u32>);

// SAFETY: loom checks every access.
unsafe impl Sync for Registers {}

impl Registers {
    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes meanwhile.
        self.0.with(|value| unsafe { *value })
    }

    fn destroy(&self) {
        // SAFETY: loom checks that nobody else looks meanwhile.
        self.0.with_mut(|value| unsafe { *value = 0xdead });
    }
}

type Device = DeviceLifetime<Registers>;

fn device() -> Arc<Device> {
    Arc::new(DeviceLifetime::new(Registers(UnsafeCell::new(7))))
}

/// One operation: reads the registers twice, if it gets in.
fn operate(device: &Device) {
    if let Ok(access) = device.enter(op!("model")) {
        assert_eq!(access.read(), 7);
        assert_eq!(access.read(), 7);
    }
}

fn unplug(device: &Device) {
    device.begin_unplug(Cause::Unbind).unwrap().wait().destroy();
}

fn model(f: impl Fn() + Sync + Send + 'static) {
    match std::env::var("FOPS_GO_WITHOUT").as_deref() {
        Ok("enter") => go_without(Edge::Enter),
        Ok("exit") => go_without(Edge::Exit),
        _ => {}
    }
    let mut builder = loom::model::Builder::new();
    // Enough for every interleaving that one or two switches can bring about, in a time that people wait for.
    builder.preemption_bound = Some(3);
    builder.check(f);
}

#[test]
fn enter_against_unplug() {
    model(|| {
        let device = device();
        let operation = {
            let device = device.clone();
            thread::spawn(move || operate(&device))
        };
        unplug(&device);
        operation.join().unwrap();
    });
}

/// Without one of the fences the protocol is wrong, and the model above says so. In a process of its own, since a
/// model that fails may leave its destructors nothing to stand on.
fn fails_without(edge: &str, expected: &str) {
    let this = std::env::current_exe().unwrap();
    let test = ["models::enter_against_unplug", "--exact", "--nocapture", "--test-threads=1"];
    let output = std::process::Command::new(this).args(test).env("FOPS_GO_WITHOUT", edge).output().unwrap();
    let text = std::string::String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "the model holds without the fence at {edge}");
    assert!(text.contains(expected), "not for this reason: {text}");
}

#[test]
fn without_the_fence_at_enter_the_remover_meets_an_operation() {
    fails_without("enter", "Causality violation");
}

#[test]
fn without_the_fence_at_exit_the_remover_sleeps_for_ever() {
    fails_without("exit", "deadlock");
}

#[test]
fn two_operations_against_unplug() {
    model(|| {
        let device = device();
        let operations: Vec<_> = (0..2)
            .map(|_| {
                let device = device.clone();
                thread::spawn(move || operate(&device))
            })
            .collect();
        unplug(&device);
        operations.into_iter().for_each(|operation| operation.join().unwrap());
    });
}

#[test]
fn a_nested_section_against_unplug() {
    model(|| {
        let device = device();
        let operation = {
            let device = device.clone();
            thread::spawn(move || {
                if let Ok(outer) = device.enter(op!("outer")) {
                    operate(&device);
                    assert_eq!(outer.read(), 7);
                }
            })
        };
        unplug(&device);
        operation.join().unwrap();
    });
}

#[test]
fn two_unplugs() {
    model(|| {
        let device = device();
        let second = {
            let device = device.clone();
            thread::spawn(move || match device.begin_unplug(Cause::Unbind) {
                Ok(draining) => {
                    draining.wait().destroy();
                    1
                }
                Err(UnplugError::AlreadyUnplugged) => 0,
                Err(error) => panic!("{error}"),
            })
        };
        let first = match device.begin_unplug(Cause::Removal) {
            Ok(draining) => {
                draining.wait().destroy();
                1
            }
            Err(_) => 0,
        };
        assert_eq!(first + second.join().unwrap(), 1, "the resources come back once");
    });
}

#[test]
fn one_gives_up_and_another_takes_over() {
    model(|| {
        let device = device();
        let second = {
            let device = device.clone();
            thread::spawn(move || unplug(&device))
        };
        drop(device.begin_unplug(Cause::Unbind).ok());
        second.join().unwrap();
    });
}

#[test]
fn a_slot_is_used_again_by_another_device() {
    model(|| {
        let (first, second) = (device(), device());
        let operations = {
            let (first, second) = (first.clone(), second.clone());
            thread::spawn(move || {
                operate(&first);
                operate(&second);
            })
        };
        unplug(&first);
        unplug(&second);
        operations.join().unwrap();
    });
}

#[test]
fn a_block_is_used_again_by_another_thread() {
    model(|| {
        let device = device();
        let first = {
            let device = device.clone();
            thread::spawn(move || {
                operate(&device);
                crate::platform::end_thread();
            })
        };
        let second = {
            let device = device.clone();
            thread::spawn(move || operate(&device))
        };
        unplug(&device);
        first.join().unwrap();
        second.join().unwrap();
    });
}

#[test]
fn a_cancellation_against_unplug() {
    model(|| {
        let device = device();
        let operation = {
            let device = device.clone();
            thread::spawn(move || {
                let Ok(access) = device.enter(op!("recv")) else { return };
                let cancelled = AtomicBool::new(false);
                access.with_cancellation(
                    || cancelled.store(true, Relaxed),
                    // A sleep that nothing but the cancellation ends.
                    || {
                        while !cancelled.load(Relaxed) {
                            thread::yield_now()
                        }
                    },
                );
            })
        };
        unplug(&device);
        operation.join().unwrap();
    });
}

#[test]
fn a_completion_against_unplug() {
    use std::sync::Arc as Shared;
    model(|| {
        let device = Shared::new(DeviceLifetime::new(Registers(UnsafeCell::new(7))));
        let ended = Arc::new(loom::sync::atomic::AtomicUsize::new(0));
        let completion = {
            let (device, ended) = (device.clone(), ended.clone());
            thread::spawn(move || {
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
            })
        };
        unplug(&device);
        assert_eq!(ended.load(Relaxed), completion.join().unwrap(), "completed or cancelled, once");
    });
}
