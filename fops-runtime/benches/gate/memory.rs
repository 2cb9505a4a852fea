//! What devices and threads take.
use fops_runtime::DeviceLifetime;
use fops_runtime::op::op;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicU32};
use std::time::Duration;

/// Counts what is taken.
struct Counting;

static TAKEN: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.fetch_add(layout.size() as isize, Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        TAKEN.fetch_sub(layout.size() as isize, Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What the whole process has taken and not given back, in bytes.
pub(crate) fn taken() -> isize {
    TAKEN.load(Relaxed)
}

/// In bytes.
pub(crate) struct Memory {
    pub(crate) device: f64,
    pub(crate) thread: f64,
    pub(crate) device_and_thread: f64,
}

/// 100,000 devices, 100 threads, and each of ten threads in each of the devices. Before this, few threads
/// may have run at once.
pub(crate) fn memory() -> Memory {
    let allocated = || taken() as f64;
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
    let others = threads(THREADS, || (), allocated);
    let thread = (threads(THREADS, || drop(devices[0].enter(op!("one"))), allocated) - others) / THREADS as f64;
    let every = || devices.iter().for_each(|device| drop(device.enter(op!("each"))));
    let device_and_thread = (threads(10, every, allocated) - others / 10.0) / (10 * DEVICES) as f64;
    Memory { device, thread, device_and_thread }
}
