//! Whether the thread may sleep for its caller before an operation has begun.
extern crate std;

use super::request::Request;
use core::cell::Cell;
use std::thread_local;

thread_local! {
    static NONBLOCKING: Cell<bool> = const { Cell::new(false) };
}

impl Request {
    /// Runs `serve` for a caller that does not want to sleep (`O_NONBLOCK`), or must not (`poll(2)`): an operation that it
    /// comes to while the device is [paused](crate::DeviceLifetime::pause_for) answers `EAGAIN`, and a poll operation says
    /// that nothing is ready.
    ///
    /// For hosts. What the operation itself does about `O_NONBLOCK` is its own matter. Release waits all the same.
    pub fn nonblocking<T>(serve: impl FnOnce() -> T) -> T {
        /// Puts back what was, on unwinding too.
        struct Restore(bool);

        impl Drop for Restore {
            fn drop(&mut self) {
                let _ = NONBLOCKING.try_with(|nonblocking| nonblocking.set(self.0));
            }
        }

        // In the last moments of a thread there is nowhere to keep it.
        let _restore = Restore(NONBLOCKING.try_with(|nonblocking| nonblocking.replace(true)).unwrap_or_default());
        serve()
    }
}

/// Whether the thread must not sleep.
pub(crate) fn is_nonblocking() -> bool {
    NONBLOCKING.try_with(Cell::get).unwrap_or_default()
}
