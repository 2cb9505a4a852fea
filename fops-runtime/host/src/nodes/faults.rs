//! Faults for probe: its n-th step fails.
use fops_runtime::{Errno, Result};
use std::cell::{Cell, RefCell};
use std::panic::resume_unwind;

thread_local! {
    /// How many steps of this thread succeed before one fails.
    static LEFT: Cell<Option<usize>> = const { Cell::new(None) };
    /// The step that failed.
    static FAILED: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `f`, whose step number `number` fails, from 0 on. Returns that step's name too, if there was one.
pub(crate) fn fail_at<T>(number: usize, f: impl FnOnce() -> T) -> (T, Option<String>) {
    LEFT.set(Some(number));
    FAILED.take();
    let result = f();
    LEFT.set(None);
    (result, FAILED.take())
}

/// Whether this step is the one that fails.
fn is_due(step: &str) -> bool {
    match LEFT.get() {
        Some(0) => {
            LEFT.set(None);
            FAILED.set(Some(step.into()));
            true
        }
        left => {
            LEFT.set(left.map(|left| left - 1));
            false
        }
    }
}

/// A step of probe that may fail, for the hardware that a test simulates: the kit has each such step of a probe fail once,
/// with `EIO`. Elsewhere it does nothing.
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
