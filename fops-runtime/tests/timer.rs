//! A drain that is a task has one thread for all pauses of its wake hook. In a program of its own: it counts threads.
#![cfg(all(feature = "async", target_os = "linux"))]
mod common;

use common::Device;
use fops_runtime::op::op;
use fops_runtime::{Cause, UnplugAsync};
use std::collections::BTreeSet;
use std::fs;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

/// The threads of this program that sleep for a drain.
fn timers() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let name = |task: &std::path::Path| fs::read_to_string(task.join("comm")).unwrap_or_default();
    tasks.filter(|task| name(task).trim() == "unplug timer").map(|task| task.display().to_string()).collect()
}

#[test]
fn one_thread_for_all_pauses_and_none_afterwards() {
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let (leave, may_leave) = mpsc::channel();
    let mut device = Device::new();
    let noted = seen.clone();
    device.on_wake = Some(Box::new(move |device| {
        noted.lock().unwrap().extend(timers());
        if device.wakes.load(std::sync::atomic::Ordering::SeqCst) == 6 {
            leave.send(()).unwrap();
        }
    }));
    std::thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let lifetime = &device.lifetime;
        s.spawn(move || {
            let _access = lifetime.enter(op!("read")).unwrap();
            inside.send(()).unwrap();
            may_leave.recv_timeout(common::DEADLINE).unwrap();
        });
        is_inside.recv().unwrap();
        drop(futures_executor::block_on(device.unplug_async(Cause::Unbind)).unwrap());
    });
    assert_eq!(seen.lock().unwrap().len(), 1, "{seen:?}");
    common::eventually("the timer ends", || timers().is_empty());
}
