//! Tasks that a change of the device wakes, as [`Gate::signal`](super::Gate::signal) wakes threads.
#[cfg(feature = "async")]
mod tasks;

#[cfg(feature = "async")]
pub(crate) use tasks::{Task, wake_tasks};

/// There are no tasks.
#[cfg(not(feature = "async"))]
pub(super) const fn wake_tasks(_device: u64) {}
