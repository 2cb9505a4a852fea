//! Removers: against one another, and of several devices.
use super::{Arc, Device, Registers, device, model, operate, spawn, unplug};
use crate::lifetime::Unplug;
use crate::platform::is_weak;
use crate::{Cause, DeviceLifetime, Group, UnplugError, WaitError, WaitQueue, op};
use loom::sync::{Condvar, Mutex};

#[test]
fn two_unplugs() {
    model(|| {
        let device = device();
        let removed = |device: &Device, cause| match device.begin_unplug(cause) {
            Ok(draining) => {
                draining.wait().destroy();
                1
            }
            Err(UnplugError::AlreadyUnplugged) => 0,
            Err(error) => panic!("{error}"),
        };
        let second = spawn!(|device| removed(&device, Cause::Unbind));
        let first = removed(&device, Cause::Removal);
        assert_eq!(first + second.join().unwrap(), 1, "the resources come back once");
    });
}

#[test]
fn one_gives_up_and_another_takes_over() {
    model(|| {
        let device = device();
        let second = spawn!(|device| unplug(&device));
        drop(device.begin_unplug(Cause::Unbind).ok());
        second.join().unwrap();
    });
}

#[test]
fn one_gives_up_while_a_section_is_open() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| operate(&device));
        drop(device.begin_unplug(Cause::Unbind).unwrap());
        unplug(&device);
        operation.join().unwrap();
    });
}

struct Part(Device);

impl Unplug for Part {
    type Resources = Registers;

    fn lifetime(&self) -> &Device {
        &self.0
    }
}

fn part() -> Arc<Part> {
    Arc::new(Part(DeviceLifetime::new(Registers::new())))
}

#[test]
fn a_group_has_one_fence_for_all() {
    model(|| {
        let (parent, child) = (part(), part());
        let operation = spawn!(|parent, child| {
            operate(&child.0);
            operate(&parent.0);
        });
        let (registers, others) = (&*parent, &*child).unplug(Cause::Unbind).unwrap();
        registers.destroy();
        others.destroy();
        operation.join().unwrap();
    });
}

/// An operation of the parent waits for one of the child, which sleeps until its own device goes.
#[test]
fn all_of_a_group_are_flagged_before_any_is_drained() {
    super::bounded(2, || {
        let (parent, child) = (part(), part());
        let done = Arc::new((Mutex::new(false), Condvar::new()));
        let waits = spawn!(|parent, done| {
            if let Ok(access) = parent.0.enter(op!("streamoff")) {
                let mut is_done = done.0.lock().unwrap();
                while !*is_done {
                    is_done = done.1.wait(is_done).unwrap();
                }
                assert_eq!(access.read(), 7);
            }
        });
        let sleeps = spawn!(|child, done| {
            if let Ok(access) = child.0.enter(op!("dqbuf")) {
                let queue = WaitQueue::new();
                assert_eq!(access.wait_event(&queue, || None::<()>), Err(WaitError::Unplugged));
            }
            *done.0.lock().unwrap() = true;
            done.1.notify_all();
        });
        if is_weak("flags of a group") {
            unplug(&parent.0);
            unplug(&child.0);
        } else {
            (&*parent, &*child).unplug(Cause::Unbind).unwrap();
        }
        waits.join().unwrap();
        sleeps.join().unwrap();
    });
}
