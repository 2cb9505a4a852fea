//! The gate on real threads; and the same without the heavy fence, which has to go wrong.
extern crate std;

#[cfg(not(fops_weak))]
use super::FenceKind;
use super::{Gate, fence_kind, heavy_fence};
use crate::op::op;
use crate::platform::is_weak;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize};
use std::string::String;
use std::vec::Vec;
use std::{env, println, process};

#[cfg(not(fops_weak))]
#[path = "../../tests/common/skip.rs"]
mod skipping;
#[cfg(not(fops_weak))]
use skipping::skip;

const HEAVY: &str = "heavy fence";

/// Keeps the thread on a processor of its own: else both may take turns on one.
fn pin(cpu: usize) {
    // SAFETY: a set of processors is plain bits; the call reads it. If it is refused, the test proves less.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}

/// One gate after the other is closed and drained while another thread goes in and out. Returns how often that was
/// inside when nobody should have been. Without pauses: what goes wrong does so in a few nanoseconds.
fn closes(count: usize) -> u64 {
    let gates: Vec<_> = (0..count).map(|_| Gate::new()).collect();
    let destroyed: Vec<_> = (0..count).map(|_| AtomicBool::new(false)).collect();
    let (current, seen) = (AtomicUsize::new(usize::MAX), AtomicUsize::new(usize::MAX));
    let violations = AtomicU64::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            for (at, (gate, destroyed)) in gates.iter().zip(&destroyed).enumerate() {
                while current.load(Acquire) != at {
                    std::hint::spin_loop();
                }
                seen.store(at, Release);
                while let Some(slot) = gate.enter(op!("stress"), false) {
                    if (0..64).any(|_| destroyed.load(Relaxed)) {
                        violations.fetch_add(1, Relaxed);
                    }
                    gate.exit(slot);
                }
            }
        });
        pin(0);
        for (at, (gate, destroyed)) in gates.iter().zip(&destroyed).enumerate() {
            current.store(at, Release);
            while seen.load(Acquire) != at {
                std::hint::spin_loop();
            }
            // Not always at the same moment of the other thread's loop.
            for _ in 0..at % 97 {
                std::hint::spin_loop();
            }
            gate.close();
            assert!(heavy_fence());
            assert!(gate.drain(None));
            destroyed.store(true, Relaxed);
        }
    });
    violations.into_inner()
}

/// How often, as a failure says it too.
fn count() -> usize {
    if env::var_os("FOPS_QUICK").is_some() { 20_000 } else { 200_000 }
}

#[test]
fn closed_and_drained() {
    let count = count();
    // Without the fence it goes wrong a few times in so many, and must go wrong at all.
    let rounds = if is_weak(HEAVY) { 20 } else { 1 };
    let violations = (0..rounds).map(|_| closes(count)).find(|&violations| violations > 0).unwrap_or(0);
    println!("{violations} violations in {count}, {:?} fences", fence_kind());
    assert!(violations == 0, "{violations} violations in {count}");
}

/// By hand: `FOPS_WEAK="heavy fence" RUSTFLAGS="--cfg fops_weak" cargo test --release -p fops-runtime --lib closed_and`.
#[test]
#[cfg(not(fops_weak))]
fn without_the_heavy_fence_it_goes_wrong() {
    if env::var_os("FOPS_FENCE").is_some_and(|fence| fence == "symmetric") {
        // Asked for: there is no such fence.
        return assert_eq!(fence_kind(), FenceKind::Symmetric);
    }
    if fence_kind() != FenceKind::Asymmetric {
        return skip("membarrier(2) is not used here");
    }
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return skip("there is one processor");
    }
    // This program is in `debug/deps` of the target folder.
    let program = env::current_exe().expect("a program has a path");
    let target = program.ancestors().nth(3).expect("in the target folder");
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = process::Command::new(cargo)
        .args(["test", "--release", "--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "--lib"])
        .arg("--target-dir")
        .arg(target.join("weak"))
        .arg("closed_and_drained")
        .env("RUSTFLAGS", "--cfg fops_weak")
        .env("FOPS_WEAK", HEAVY)
        .env_remove("FOPS_QUICK")
        .output()
        .expect("cargo runs");
    let text = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(!output.status.success() && text.contains(" violations in 200000"), "{text}");
}
