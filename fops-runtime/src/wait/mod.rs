//! Sleeping inside a section, and being woken: by an event, by unplug, by a signal.
mod event;
#[cfg(target_os = "linux")]
mod eventfd;
#[cfg(target_os = "linux")]
mod fd;
mod queue;
mod request;
mod sleepers;

#[cfg(feature = "async")]
pub(crate) use crate::gate::wakers::{Task, wake_tasks};
pub use event::WaitError;
#[cfg(target_os = "linux")]
pub(crate) use eventfd::EventFd;
pub use queue::{Poller, WaitQueue};
pub(crate) use request::client_of;
pub use request::{Client, Request};
pub(crate) use sleepers::{begin_closing, end_closing, wake_sections};
