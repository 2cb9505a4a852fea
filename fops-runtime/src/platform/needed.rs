//! Orderings and fences that a test can take away, to show that they are missed.
use super::atomic;

/// Returns `order`. Model builds can weaken the one named `what` to prove that it is needed.
///
/// In a model, or a build with `--cfg fops_weak`, the environment's `FOPS_WEAK` names what does without, one or several
/// ("this, that"; one where it is no model). In any other build there is no such thing.
#[inline(always)]
pub(crate) fn needed(what: &str, order: atomic::Ordering) -> atomic::Ordering {
    if is_weak(what) { atomic::Ordering::Relaxed } else { order }
}

/// A sequentially consistent fence, except in the test that takes it away: see [`needed`].
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
#[cfg(not(any(loom, fops_weak)))]
#[inline(always)]
pub(crate) const fn is_weak(_: &str) -> bool {
    false
}
