//! The serial console, which prints a line after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A console: where the log goes, and how slow that is.
#[derive(Clone, Default)]
pub struct Console {
    nanoseconds: Arc<AtomicU64>,
}

impl Console {
    /// How long it takes to print a line.
    pub fn line_time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    pub(super) fn set_line_time(&self, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanoseconds.store(nanoseconds, Ordering::Relaxed);
    }
}
