//! Faults for probe and for the removal: its n-th step fails.
use crate::lock::Lock;
use fops_runtime::{Errno, Result};
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;

thread_local! {
    /// What is to fail on this thread.
    static CURRENT: RefCell<Faults> = const { RefCell::new(Faults(None)) };
}

/// The step that is to fail, of one thread and of the removals that it begins.
#[derive(Clone)]
pub(crate) struct Faults(Option<Arc<Lock<State>>>);

struct State {
    /// How many steps succeed before one fails.
    left: Option<usize>,
    /// The step that failed.
    failed: Option<String>,
}

impl Faults {
    /// Those of this thread.
    pub(crate) fn here() -> Self {
        CURRENT.with_borrow(Clone::clone)
    }

    /// Has them be those of this thread while it runs `f`.
    pub(crate) fn run<T>(self, f: impl FnOnce() -> T) -> T {
        /// On unwinding too.
        struct Restore(Faults);

        impl Drop for Restore {
            fn drop(&mut self) {
                CURRENT.replace(self.0.clone());
            }
        }

        let _restore = Restore(CURRENT.replace(self));
        f()
    }

    /// Whether this step is the one that fails.
    fn is_due(&self, step: &str) -> bool {
        let Some(state) = &self.0 else { return false };
        let mut state = state.lock();
        match state.left {
            Some(0) => {
                (state.left, state.failed) = (None, Some(step.into()));
                true
            }
            left => {
                state.left = left.map(|left| left - 1);
                false
            }
        }
    }
}

/// Runs `f`, whose step number `number` fails, from 0 on, and also that of a removal that `f` begins. Returns that step's name
/// too, if there was one.
pub(crate) fn fail_at<T>(number: usize, f: impl FnOnce() -> T) -> (T, Option<String>) {
    let state = Arc::new(Lock::new(State { left: Some(number), failed: None }));
    let result = Faults(Some(state.clone())).run(f);
    let mut state = state.lock();
    // A removal may still be under way.
    state.left = None;
    (result, state.failed.take())
}

fn is_due(step: &str) -> bool {
    Faults::here().is_due(step)
}

/// A step that may fail, for the hardware that a test simulates: the kit has each such step of a probe and of a removal fail
/// once, with `EIO`. Those of a removal are in the hooks, in `remove` and in destructors. Elsewhere it does nothing.
///
/// ```
/// use fops_host::testkit::may_fail;
/// use fops_runtime::Result;
///
/// fn request_irq() -> Result {
///     may_fail("request_irq")
/// }
/// assert_eq!(request_irq(), Ok(()));
/// ```
///
/// # Errors
/// `EIO`, where the kit wants this step to fail.
pub fn may_fail(step: &str) -> Result {
    if is_due(step) { Err(Errno::EIO) } else { Ok(()) }
}

/// Memory for buffers is allocated.
pub(super) fn allocation() -> Result {
    if is_due("the allocation of buffer memory") { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// A node is registered, which cannot fail. Probe unwinds there instead: what it took has to be given back all the same.
pub(crate) fn registration(node: &str) {
    if is_due(&format!("the registration of {node}")) {
        // Without the message: it is on purpose.
        resume_unwind(Box::new("in probe, on purpose"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nodes::buffer::BufferMemory;

    #[test]
    fn each_step_is_the_one_that_fails_once() {
        let probe = || (may_fail("first"), BufferMemory::new(8).err(), may_fail("last"));
        let name = |name: &str| Some(name.to_owned());
        assert_eq!(fail_at(0, probe), ((Err(Errno::EIO), None, Ok(())), name("first")));
        assert_eq!(fail_at(1, probe), ((Ok(()), Some(Errno::ENOMEM), Ok(())), name("the allocation of buffer memory")));
        assert_eq!(fail_at(2, probe), ((Ok(()), None, Err(Errno::EIO)), name("last")));
        assert_eq!(fail_at(3, probe), ((Ok(()), None, Ok(())), None));
        assert_eq!(probe(), (Ok(()), None, Ok(())), "elsewhere nothing fails");
    }
}
