//! Unplug and sections for tasks, on any executor.
mod draining;
mod section;
mod timer;

pub use draining::{DrainingAsync, UnplugAsync};
pub use section::{Section, UntilUnplugged};
