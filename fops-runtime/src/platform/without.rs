//! Control builds leave out one step of unplug, to show that the test of that step can fail.
//!
//! With `--cfg fops_controls` the environment variable `FOPS_WITHOUT` names the step: `flag`, `cancel`, `drain`,
//! `release-access`. Such a build breaks the promises of the crate, soundness included, and is for `tests/controls`
//! alone. It is not a feature, because any crate that depends on this one could turn a feature on.
//! The kernel has no environment: `--cfg fops_without="drain"` names the step there.

/// A step of unplug.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    /// New sections are refused.
    Flag,
    /// Sleepers are woken.
    Cancel,
    /// Sections in flight are waited for.
    Drain,
    /// Release has no access once the resources may have been handed back.
    #[cfg_attr(not(all(fops_controls, feature = "std")), expect(dead_code, reason = "only control builds ask for it"))]
    ReleaseAccess,
}

/// Whether to leave the step out: never, except in a control build.
#[cfg(not(all(fops_controls, feature = "std")))]
#[inline(always)]
pub(crate) const fn without(step: Step) -> bool {
    match step {
        Step::Flag => cfg!(fops_without = "flag"),
        Step::Cancel => cfg!(fops_without = "cancel"),
        Step::Drain => cfg!(fops_without = "drain"),
        Step::ReleaseAccess => false,
    }
}

/// Whether to leave the step out, as `FOPS_WITHOUT` says.
#[cfg(all(fops_controls, feature = "std"))]
pub(crate) fn without(step: Step) -> bool {
    static LEFT_OUT: std::sync::OnceLock<std::string::String> = std::sync::OnceLock::new();
    let left_out = LEFT_OUT.get_or_init(|| std::env::var("FOPS_WITHOUT").unwrap_or_default());
    left_out
        == match step {
            Step::Flag => "flag",
            Step::Cancel => "cancel",
            Step::Drain => "drain",
            Step::ReleaseAccess => "release-access",
        }
}
