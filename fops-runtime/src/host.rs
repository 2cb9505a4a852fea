//! What a host needs beside the operations.
use crate::platform;

/// Runs code of a driver's, and returns `None` when it panicked: for a host, whose threads serve other drivers too.
///
/// The panic has been printed by then. A section that was open is given back by unwinding.
///
/// ```
/// assert_eq!(fops_runtime::catch_panic(|| 5), Some(5));
/// assert_eq!(fops_runtime::catch_panic(|| panic!("in a driver")), None::<()>);
/// ```
pub fn catch_panic<T>(operation: impl FnOnce() -> T) -> Option<T> {
    platform::catch(operation)
}
