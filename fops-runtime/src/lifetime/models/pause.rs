//! Pauses against sections, sleepers and unplug.
use super::{Arc, Registers, model, spawn};
use crate::lifetime::{Cause, DeviceLifetime, Unplug, Unplugged};
use crate::op::op;
use crate::wait::{WaitError, WaitQueue};
use core::time::Duration;
use loom::cell::UnsafeCell;

/// What the hardware half writes, and sections read. In a cell, so that one that is at work meanwhile is found.
struct Hardware(UnsafeCell<u32>);

// SAFETY: what touches it is ordered, or the model fails.
unsafe impl Sync for Hardware {}
// SAFETY: as above.
unsafe impl Send for Hardware {}

type Device = DeviceLifetime<Hardware>;

impl Hardware {
    fn reset(&self) {
        // SAFETY: loom reports any other access at the same time.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    fn read(&self) -> u32 {
        // SAFETY: loom reports a write at the same time.
        self.0.with(|value| unsafe { *value })
    }
}

fn device() -> Arc<Device> {
    Arc::new(DeviceLifetime::new(Hardware(UnsafeCell::new(0))))
}

/// No time passes in a model.
fn pause(device: &Device) {
    device.pause_for(op!("reset"), Duration::MAX).unwrap().reset();
}

#[test]
fn a_section_against_a_pause() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| {
            let access = device.enter(op!("read")).unwrap();
            access.read();
            assert_eq!(access.read(), access.read());
        });
        pause(&device);
        operation.join().unwrap();
        assert_eq!(device.enter(op!("read")).unwrap().read(), 1);
    });
}

/// The inner section is in a slot that the drain may have passed.
#[test]
fn a_section_inside_one_that_ends_first_against_a_pause() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| {
            let first = device.enter(op!("first")).unwrap();
            let outer = device.enter(op!("outer")).unwrap();
            drop(first);
            let inner = device.enter(op!("inner")).unwrap();
            drop(outer);
            inner.read();
        });
        pause(&device);
        operation.join().unwrap();
    });
}

#[test]
fn a_sleeper_against_a_pause() {
    model(|| {
        let (device, queue, go) = (device(), Arc::new(WaitQueue::new()), Arc::new(Registers::new()));
        let sleeper = spawn!(|device, queue, go| {
            let access = device.enter(op!("dqbuf")).unwrap();
            assert_eq!(access.wait_event(&queue, || Some(access.read()).filter(|&resets| resets == 1)), Ok(1));
            assert_eq!(go.read(), 0xdead);
        });
        let paused = device.pause_for(op!("reset"), Duration::MAX).unwrap();
        paused.reset();
        go.destroy();
        drop(paused);
        sleeper.join().unwrap();
    });
}

/// It goes on after the first pause, and the second one comes.
#[test]
fn a_sleeper_that_goes_on_against_another_pause() {
    super::bounded(2, || {
        let (device, queue) = (device(), Arc::new(WaitQueue::new()));
        let sleeper = spawn!(|device, queue| {
            let access = device.enter(op!("dqbuf")).unwrap();
            assert!(access.wait_event(&queue, || Some(access.read()).filter(|&resets| resets >= 1)).is_ok());
        });
        pause(&device);
        pause(&device);
        sleeper.join().unwrap();
    });
}

#[test]
fn a_pause_against_unplug() {
    model(|| {
        let device = device();
        let pauses = spawn!(|device| {
            if let Ok(paused) = device.pause_for(op!("reset"), Duration::MAX) {
                paused.reset();
            }
        });
        device.alone().begin_unplug(Cause::Unbind).unwrap().wait().reset();
        pauses.join().unwrap();
    });
}

#[test]
fn a_device_that_is_left_paused_against_unplug() {
    super::bounded(2, || {
        let (device, queue) = (device(), Arc::new(WaitQueue::new()));
        device.pause_for(op!("suspend"), Duration::MAX).unwrap().keep();
        let waits = spawn!(|device| assert_eq!(device.enter(op!("read")).err(), Some(Unplugged)));
        drop(queue);
        device.alone().begin_unplug(Cause::Unbind).unwrap().wait().reset();
        waits.join().unwrap();
    });
}

#[test]
fn a_parked_sleeper_against_unplug() {
    super::bounded(2, || {
        let (device, queue) = (device(), Arc::new(WaitQueue::new()));
        let sleeper = spawn!(|device, queue| {
            if let Ok(access) = device.enter(op!("dqbuf")) {
                assert_eq!(access.wait_event(&queue, || None::<()>), Err(WaitError::Unplugged));
                access.read();
            }
        });
        device.pause_for(op!("suspend"), Duration::MAX).unwrap().keep();
        device.alone().begin_unplug(Cause::Unbind).unwrap().wait().reset();
        sleeper.join().unwrap();
    });
}

#[test]
fn two_pauses() {
    super::bounded(2, || {
        let device = device();
        let other = spawn!(|device| pause(&device));
        pause(&device);
        other.join().unwrap();
        assert_eq!(device.enter(op!("read")).unwrap().read(), 2);
    });
}
