//! What devices and threads take.
use fops_runtime::{DeviceLifetime, op};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

/// In bytes.
pub(crate) struct Memory {
    pub(crate) device: f64,
    pub(crate) thread: f64,
    pub(crate) device_and_thread: f64,
}

/// 100,000 devices, 100 threads, and each of ten threads in each of the devices. Before this, few threads
/// may have run at once.
pub(crate) fn memory(allocated: impl Fn() -> f64 + Sync) -> Memory {
    const DEVICES: usize = 100_000;
    const THREADS: usize = 100;
    /// What is allocated while so many threads live that have run `f`.
    fn threads(count: usize, f: impl Fn() + Sync, allocated: impl Fn() -> f64) -> f64 {
        let (ready, leave) = (AtomicU32::new(0), AtomicBool::new(false));
        let before = allocated();
        std::thread::scope(|scope| {
            for _ in 0..count {
                scope.spawn(|| {
                    f();
                    ready.fetch_add(1, SeqCst);
                    while !leave.load(Relaxed) {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                });
            }
            while ready.load(SeqCst) != count as u32 {
                std::thread::sleep(Duration::from_millis(1));
            }
            let taken = allocated() - before;
            leave.store(true, Relaxed);
            taken
        })
    }
    let before = allocated();
    let devices: Vec<_> = (0..DEVICES).map(|_| DeviceLifetime::new(())).collect();
    let device = (allocated() - before) / DEVICES as f64;
    // Few threads have ended yet, so there is little that new ones could use again.
    let others = threads(THREADS, || (), &allocated);
    let thread = (threads(THREADS, || drop(devices[0].enter(op!("one"))), &allocated) - others) / THREADS as f64;
    let every = || devices.iter().for_each(|device| drop(device.enter(op!("each"))));
    let device_and_thread = (threads(10, every, &allocated) - others / 10.0) / (10 * DEVICES) as f64;
    Memory { device, thread, device_and_thread }
}
