//! What drivers of the Linux kernel use: a misc device that owns its lifetime, sleeping in a section, conversions.
mod convert;
mod misc_node;
mod wait;

pub use misc_node::MiscNode;
pub use wait::{WaitError, WaitQueue};
