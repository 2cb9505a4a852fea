//! What a host needs beside the operations.
use crate::platform;
#[cfg(not(loom))]
use core::time::Duration;

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

/// Runs `line`, which writes a log line, on the thread that writes the log: for hosts and drivers, whose operations and
/// removals must not wait for a log. Neither sleeps nor panics.
///
/// At most 1024 lines wait; further ones are dropped, and the log says later how many. `line` may panic or hang: then lines
/// are lost, and nothing else is.
///
/// ```
/// use std::time::Duration;
///
/// fops_runtime::log_later(|| eprintln!("device bound"));
/// assert!(fops_runtime::flush_log(Duration::from_secs(10)));
/// ```
#[cfg(not(loom))]
pub fn log_later(line: impl FnOnce() + Send + 'static) {
    extern crate std;
    platform::log_later(std::boxed::Box::new(line));
}

/// Waits until the log is written, for at most `limit`: for a program that is about to end. Returns whether it is.
///
/// Do not call it in a section or on the way of an unplug.
#[cfg(not(loom))]
pub fn flush_log(limit: Duration) -> bool {
    platform::flush_log(limit)
}
