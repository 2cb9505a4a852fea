//! Unplugs against operations on real threads.
#![cfg(all(feature = "std", not(loom)))]
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, fence_kind};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};

/// Registers that read as this are there; the remover overwrites them.
const ALIVE: u64 = 7;

/// One device after the other is unplugged while another thread runs operations on it. Returns how often an operation
/// met registers that the remover had been given already.
fn unplugs(count: usize) -> u64 {
    const AT_A_TIME: usize = 10_000;
    (0..count.div_ceil(AT_A_TIME)).map(|_| batch(AT_A_TIME.min(count))).sum()
}

/// Keeps the thread on a processor of its own: else both may take turns on one.
fn pin(cpu: usize) {
    #[cfg(target_os = "linux")]
    // SAFETY: a set of processors is plain bits; the call reads it. If it is refused, the test proves less.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cpu;
}

#[repr(align(64))]
struct Line(AtomicU64);

fn batch(count: usize) -> u64 {
    // All are kept until the end: what goes wrong is counted, and touches nothing that was freed.
    let registers: Vec<_> = (0..count).map(|_| AtomicU64::new(ALIVE)).collect();
    let devices: Vec<_> = registers.iter().map(DeviceLifetime::<&AtomicU64>::new).collect();
    let (current, entered) = (AtomicUsize::new(0), AtomicUsize::new(usize::MAX));
    let (done, violations) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            let lines: Vec<_> = (0..1 << 20).map(|_| Line(AtomicU64::new(0))).collect();
            let mut random = 88_172_645_463_325_252_usize;
            while !done.load(Relaxed) {
                let at = current.load(Acquire);
                loop {
                    // Stores to lines that are far away: the section's own wait behind them, as long as can be.
                    for _ in 0..8 {
                        random ^= random << 13;
                        random ^= random >> 7;
                        random ^= random << 17;
                        lines[random % lines.len()].0.store(1, Relaxed);
                    }
                    let Ok(access) = devices[at].enter(op!("stress")) else { break };
                    entered.store(at, Relaxed);
                    // What the remover does comes a moment after it was let go.
                    if (0..64).any(|_| access.load(Relaxed) != ALIVE) {
                        violations.fetch_add(1, Relaxed);
                    }
                }
            }
        });
        pin(0);
        for (at, device) in devices.iter().enumerate() {
            current.store(at, Release);
            // The other thread is at it, unless it does not run at all; and not always at the same place.
            for _ in 0..1000 {
                if entered.load(Relaxed) == at {
                    break;
                }
                std::hint::spin_loop();
            }
            for _ in 0..at % 256 {
                std::hint::spin_loop();
            }
            let registers = device.alone().begin_unplug(Cause::Unbind).expect("nobody else unplugs it").wait();
            registers.store(0xdead, Relaxed);
        }
        done.store(true, Relaxed);
    });
    violations.into_inner()
}

fn count() -> usize {
    if std::env::var_os("FOPS_QUICK").is_some() { 20_000 } else { 200_000 }
}

#[test]
fn unplugs_against_operations() {
    let violations = unplugs(count());
    println!("{violations} violations in {} unplugs, {:?} fences", count(), fence_kind());
    assert_eq!(violations, 0);
}
