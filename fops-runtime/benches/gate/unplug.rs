//! What an unplug takes, against the system calls that it cannot do without.
use crate::measure::{middle, pin};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// Nanoseconds of one thing, and of what it is held against.
pub(crate) struct Against {
    pub(crate) ours: f64,
    pub(crate) theirs: f64,
}

fn nanos(since: Instant) -> f64 {
    since.elapsed().as_nanos() as f64
}

/// One `membarrier(2)`.
fn membarrier() {
    // SAFETY: it touches no memory. The process is registered: it has opened sections.
    unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) };
}

/// Unplug of a device that nobody uses, while another thread of the process keeps the other processor busy.
pub(crate) fn idle() -> Against {
    let (done, turns) = (AtomicBool::new(false), AtomicU32::new(0));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            while !done.load(Relaxed) {
                turns.fetch_add(1, Relaxed);
            }
        });
        scope.spawn(|| {
            pin(0);
            while ours.len() < 1000 {
                let before = turns.load(Relaxed);
                let device = DeviceLifetime::new(());
                drop(device.enter(op!("once")));
                let began = Instant::now();
                device.alone().begin_unplug(Cause::Unbind).expect("it is plugged").wait();
                let took = nanos(began);
                let began = Instant::now();
                membarrier();
                let fence = nanos(began);
                // Else something else runs on the other processor, and need not be told of the fence.
                if turns.load(Relaxed) != before {
                    ours.push(took);
                    theirs.push(fence);
                }
            }
            done.store(true, Relaxed);
        });
    });
    Against { ours: middle(ours), theirs: middle(theirs) }
}

/// From the end of the last section to the return of an unplug that sleeps; and from a store to the return of a thread
/// that sleeps on the word.
pub(crate) fn last_exit() -> Against {
    const PAUSE: Duration = Duration::from_micros(300);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    std::thread::scope(|scope| {
        let (give, take) = mpsc::channel::<&(DeviceLifetime<()>, AtomicU32)>();
        let (tell, told) = mpsc::channel();
        scope.spawn(move || {
            pin(1);
            for (device, word) in take {
                let access = device.enter(op!("last")).expect("it is plugged");
                tell.send(Instant::now()).expect("somebody listens");
                std::thread::sleep(PAUSE);
                let ends = Instant::now();
                drop(access);
                tell.send(ends).expect("somebody listens");
                std::thread::sleep(PAUSE);
                let ends = Instant::now();
                word.store(1, Release);
                // SAFETY: the word is not read by it.
                unsafe {
                    libc::syscall(libc::SYS_futex, word.as_ptr(), libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, i32::MAX)
                };
                tell.send(ends).expect("somebody listens");
            }
        });
        scope
            .spawn(move || {
                pin(0);
                let mut times = || {
                    for _ in 0..500 {
                        // Few and small: they may stay.
                        let both: &'static _ = Box::leak(Box::new((DeviceLifetime::new(()), AtomicU32::new(0))));
                        give.send(both).ok()?;
                        told.recv().ok()?;
                        both.0.alone().begin_unplug(Cause::Unbind).ok()?.wait();
                        let returned = Instant::now();
                        ours.push((returned - told.recv().ok()?).as_nanos() as f64);
                        while both.1.load(Acquire) == 0 {
                            let word = both.1.as_ptr();
                            // SAFETY: the word lives on; without a limit.
                            unsafe {
                                libc::syscall(libc::SYS_futex, word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, 0, 0)
                            };
                        }
                        let returned = Instant::now();
                        theirs.push((returned - told.recv().ok()?).as_nanos() as f64);
                    }
                    Some(())
                };
                times().expect("the other thread answers");
                (ours, theirs)
            })
            .join()
            .map(|(ours, theirs)| Against { ours: middle(ours), theirs: middle(theirs) })
            .expect("it does not panic")
    })
}
