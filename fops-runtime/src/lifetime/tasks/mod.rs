//! Unplug and sections for tasks, on any executor.
mod draining;
mod section;

pub use draining::{DrainingAsync, UnplugAsync};
pub use section::{Section, UntilUnplugged};
