//! Sleeping inside a section, and being woken: by an event, by unplug, by a signal.
mod event;
mod queue;
mod request;

pub use event::WaitError;
pub use queue::{Poller, WaitQueue};
pub(crate) use request::client_of;
pub use request::{Client, Request};
