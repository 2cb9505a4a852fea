//! Why an unplug would wait for itself.
use super::work::Work;
use crate::platform;
use core::fmt;

/// The circle that an unplug would close: it would wait for something that waits for the thread that asks.
///
/// Displays as `it would wait for Csi2::s_stream (src/csi2.rs:44), thread 12 "worker", which waits for Vin::ioctl
/// (src/core.rs:120) of this thread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Circle {
    pub(super) first: Link,
    /// What this thread keeps the last one of the circle waiting with; `None` where that is the first link itself.
    pub(super) last: Option<Work>,
}

/// What somebody would wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) work: Work,
    /// Whose it is; 0 if it is a task's.
    pub(super) thread: u64,
}

impl Circle {
    /// The calling thread keeps itself waiting.
    pub(super) const fn own(work: Work, thread: u64) -> Self {
        Self { first: Link { work, thread }, last: None }
    }

    /// What the unplug would wait for: a section, a start, or the remover's role that another unplug has.
    pub const fn waits_for(&self) -> Work {
        self.first.work
    }

    /// The thread that this stands in, by the number that [`Report`](crate::Report)s have; 0 if it is a task.
    pub const fn thread(&self) -> u64 {
        self.first.thread
    }

    /// What of the calling thread keeps the circle closed. The same as [`waits_for`](Self::waits_for) where the unplug
    /// would wait for its own thread, with nobody between.
    pub const fn blocked_by(&self) -> Work {
        match self.last {
            Some(work) => work,
            None => self.first.work,
        }
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it would wait for {}", self.first.work)?;
        let Some(last) = self.last else { return f.write_str(" of this thread") };
        if self.first.thread == 0 {
            f.write_str(", a task")?;
        } else {
            f.write_str(", thread ")?;
            platform::fmt_thread(self.first.thread, f)?;
        }
        write!(f, ", which waits for {last} of this thread")
    }
}
