//! Tasks, and what wakes them.
use super::{Arc, Device, device, model, operate, spawn, unplug};
use crate::gate::wakers::Task;
use crate::gate::{Gate, heavy_fence};
use crate::lifetime::{Cause, Unplug, UnplugAsync};
use crate::op::op;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll};
use core::time::Duration;
use loom::sync::{Condvar, Mutex};
use std::task::Wake;

/// An executor: one thread that sleeps until its task is woken.
struct Thread {
    woken: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Thread {
    fn wake(self: Arc<Self>) {
        *self.woken.lock().unwrap() = true;
        self.changed.notify_one();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let thread = Arc::new(Thread { woken: Mutex::new(false), changed: Condvar::new() });
    let waker = thread.clone().into();
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        let mut woken = thread.woken.lock().unwrap();
        while !*woken {
            woken = thread.changed.wait(woken).unwrap();
        }
        *woken = false;
    }
}

fn unplug_as_task(device: &Device) {
    block_on(device.alone().unplug_async(Cause::Unbind)).unwrap().destroy();
}

/// Without the locks of a lifetime, which both sides take.
#[test]
fn a_task_that_looks_against_a_section_that_ends() {
    model(|| {
        let gate = Arc::new(Gate::new());
        let slot = gate.enter(op!("read"), true).unwrap();
        gate.close();
        assert!(heavy_fence());
        let operation = spawn!(|gate| gate.exit(slot));
        let remover = spawn!(|gate| {
            let task = Task::new(std::vec![gate.number()]);
            block_on(poll_fn(|cx| {
                task.wait(cx.waker());
                if gate.drain(Some(Duration::ZERO)) { Poll::Ready(()) } else { Poll::Pending }
            }));
        });
        operation.join().unwrap();
        remover.join().unwrap();
    });
}

#[test]
fn an_unplug_that_is_a_task_against_the_last_exit() {
    model(|| {
        let device = device();
        let operation = spawn!(|device| operate(&device));
        unplug_as_task(&device);
        operation.join().unwrap();
    });
}

#[test]
fn a_group_that_is_unplugged_by_a_task_against_the_last_exits() {
    super::bounded(2, || {
        let (one, other) = (device(), device());
        let operation = spawn!(|one, other| {
            operate(&other);
            operate(&one);
        });
        let group = (one.alone(), other.alone());
        let (registers, others) = block_on(group.unplug_async(Cause::Unbind)).unwrap();
        registers.destroy();
        others.destroy();
        operation.join().unwrap();
    });
}

#[test]
fn a_task_takes_over_from_one_that_gives_up() {
    model(|| {
        let device = device();
        let second = spawn!(|device| unplug_as_task(&device));
        drop(device.alone().begin_unplug(Cause::Unbind).ok());
        second.join().unwrap();
    });
}

#[test]
fn a_task_that_waits_for_unplug() {
    model(|| {
        let device = device();
        let task = spawn!(|device| block_on(device.until_unplugged()));
        unplug(&device);
        task.join().unwrap();
    });
}

#[test]
fn a_section_that_is_a_task_against_unplug() {
    model(|| {
        let device = device();
        let task = spawn!(|device| {
            let section = device.section(op!("read"), async |access| {
                access.until_unplugged().await;
                access.read()
            });
            assert!(block_on(section).is_ok_and(|value| value == 7) || device.is_unplugged());
        });
        unplug(&device);
        task.join().unwrap();
    });
}
