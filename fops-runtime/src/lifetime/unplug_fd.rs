//! The descriptor that says that unplug has begun.
use crate::platform;
use crate::wait::EventFd;

/// The descriptor, and the process that it was made in: a forked child shares its parent's.
pub(super) struct UnplugFd {
    pub(super) event: EventFd,
    forks: u64,
}

impl UnplugFd {
    /// It is this process's own.
    pub(super) fn new(event: EventFd) -> Self {
        Self { event, forks: platform::forks() }
    }

    pub(super) fn is_own(&self) -> bool {
        self.forks == platform::forks()
    }
}
