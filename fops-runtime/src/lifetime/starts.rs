//! How many starts of the hardware are running.
use crate::platform;

/// The starts that are running.
pub(super) struct Starts {
    count: usize,
    /// In which process they were counted: a forked child has not the threads of its parent.
    pub(super) forks: u64,
}

impl Starts {
    pub(super) const fn new() -> Self {
        Self { count: 0, forks: 0 }
    }

    pub(super) fn count(&mut self) -> &mut usize {
        let forks = platform::forks();
        if self.forks != forks {
            *self = Self { count: 0, forks };
        }
        &mut self.count
    }
}
