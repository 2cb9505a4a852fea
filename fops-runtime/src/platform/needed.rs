//! Orderings and fences that a test can take away, to show that they are needed.
use super::atomic;

/// Returns `order`. Model builds can weaken the one named `what` to prove that it is needed.
///
/// The environment variable `FOPS_WEAK` names it. A model reads the variable when it runs, and takes several names
/// ("this, that"). A build with `--cfg fops_weak` reads it at compile time, and takes one. Other builds always return
/// `order`.
#[inline(always)]
pub(crate) fn needed(what: &str, order: atomic::Ordering) -> atomic::Ordering {
    if is_weak(what) { atomic::Ordering::Relaxed } else { order }
}

/// A sequentially consistent fence, except in the test that takes it away: see [`needed`].
#[cfg_attr(feature = "kernel", expect(dead_code, reason = "RCU is the fence there"))]
#[inline(always)]
pub(crate) fn needed_fence(what: &str) {
    if !is_weak(what) {
        atomic::fence(atomic::Ordering::SeqCst);
    }
}

/// Whether a test takes this away: see [`needed`].
#[cfg(loom)]
pub(crate) fn is_weak(what: &str) -> bool {
    extern crate std;
    static WEAK: std::sync::OnceLock<std::string::String> = std::sync::OnceLock::new();
    WEAK.get_or_init(|| std::env::var("FOPS_WEAK").unwrap_or_default()).split(", ").any(|weak| weak == what)
}

/// The same, decided at compile time: a look at the environment takes longer than the failure lasts.
#[cfg(all(fops_weak, not(loom)))]
#[inline(always)]
pub(crate) fn is_weak(what: &str) -> bool {
    option_env!("FOPS_WEAK") == Some(what)
}

/// Never.
#[cfg(not(any(loom, fops_weak)))]
#[inline(always)]
pub(crate) const fn is_weak(_: &str) -> bool {
    false
}
