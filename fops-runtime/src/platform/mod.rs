//! What the core asks of its surroundings: atomics, a lock, sleeping on a word, a clock, the current thread.
//!
//! One of the files beside this one is compiled in. All have the same functions, except that those without threads have
//! nothing of a thread's own. A model stands for a program with std: `loom` needs the feature.
#[cfg(not(feature = "std"))]
mod bare;
#[cfg(loom)]
mod loom;
#[cfg(all(feature = "std", not(loom)))]
mod std;

#[cfg(not(feature = "std"))]
pub(crate) use bare::*;
#[cfg(loom)]
pub(crate) use loom::*;
#[cfg(all(feature = "std", not(loom)))]
pub(crate) use std::*;

/// Where a section passes a light fence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edge {
    Enter,
    Exit,
}

/// `order`, which what is called `what` cannot do without: a test takes it away, and sees that it is missed.
///
/// In a model, or a build with `--cfg fops_weak`, the environment's `FOPS_WEAK` names what does without, one or several
/// ("this, that"; one where it is no model). In any other build there is no such thing.
#[cfg(any(loom, fops_weak))]
#[inline(always)]
pub(crate) fn needed(what: &str, order: atomic::Ordering) -> atomic::Ordering {
    if is_weak(what) { atomic::Ordering::Relaxed } else { order }
}

/// As above.
#[cfg(not(any(loom, fops_weak)))]
#[inline(always)]
pub(crate) const fn needed(_: &str, order: atomic::Ordering) -> atomic::Ordering {
    order
}

/// A sequentially consistent fence, but for the test that takes it away: see [`needed`].
#[cfg(feature = "std")]
#[inline(always)]
pub(crate) fn needed_fence(what: &str) {
    if !is_weak(what) {
        atomic::fence(atomic::Ordering::SeqCst);
    }
}

/// Whether a test wants to see what happens without this: see [`needed`].
#[cfg(loom)]
pub(crate) fn is_weak(what: &str) -> bool {
    extern crate std;
    static WEAK: std::sync::OnceLock<std::string::String> = std::sync::OnceLock::new();
    WEAK.get_or_init(|| std::env::var("FOPS_WEAK").unwrap_or_default()).split(", ").any(|weak| weak == what)
}

/// The same, decided when it is built: what goes wrong does so in less time than it takes to look.
#[cfg(all(fops_weak, not(loom)))]
#[inline(always)]
pub(crate) fn is_weak(what: &str) -> bool {
    option_env!("FOPS_WEAK") == Some(what)
}

/// As above.
#[cfg(all(feature = "std", not(any(loom, fops_weak))))]
#[inline(always)]
pub(crate) const fn is_weak(_: &str) -> bool {
    false
}

/// Numbers for devices: never 0, never reused, and less than 2^63 in any life of a process.
pub(crate) fn next_number() -> u64 {
    use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
    // Not a model's: it orders nothing.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Relaxed)
}
