//! What drivers of the Linux kernel use: a misc device that owns its lifetime, sleeping in a section, conversions.
mod convert;
mod interrupt;
mod misc_node;
mod unplug;
mod wait;

pub use misc_node::MiscNode;
pub use unplug::unplug_and_log;
pub use wait::{WaitError, WaitQueue};
