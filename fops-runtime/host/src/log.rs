//! Log lines of the host. A line is written later, by the runtime's log thread: no operation, reader or removal waits for
//! it, or panics because of it.

/// Logs a line at a level: `log!(warn, "{name}: gone")`.
macro_rules! log {
    (error, $($line:tt)+) => { $crate::log::log!(@ ERROR, error, $($line)+) };
    (warn, $($line:tt)+) => { $crate::log::log!(@ WARN, warn, $($line)+) };
    (info, $($line:tt)+) => { $crate::log::log!(@ INFO, info, $($line)+) };
    (debug, $($line:tt)+) => { $crate::log::log!(@ DEBUG, debug, $($line)+) };
    (@ $level:ident, $event:ident, $($line:tt)+) => {
        if tracing::level_enabled!(tracing::Level::$level) {
            let line = format!($($line)+);
            $crate::log::later(move || tracing::$event!("{line}"));
        }
    };
}
pub(crate) use log;

/// Runs `line` later, with the subscriber that this thread has.
pub(crate) fn later(line: impl FnOnce() + Send + 'static) {
    // A subscriber's own code may panic when it is cloned or dropped.
    let dispatch = fops_runtime::catch_panic(|| tracing::dispatcher::get_default(Clone::clone));
    fops_runtime::log_later(move || match dispatch {
        Some(dispatch) => tracing::dispatcher::with_default(&dispatch, line),
        None => line(),
    });
}
