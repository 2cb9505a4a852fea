//! Numbers that the kernel and its callers agree on: errno, poll masks, open flags.
mod errno;
mod open_flags;
mod poll_events;

pub use errno::{Errno, Result};
pub use open_flags::OpenFlags;
pub use poll_events::PollEvents;
