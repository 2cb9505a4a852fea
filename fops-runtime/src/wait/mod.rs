//! Sleeping inside a section, and being woken: by an event, by unplug, by a signal.
#[cfg(target_os = "linux")]
mod alarm;
mod event;
#[cfg(target_os = "linux")]
mod eventfd;
#[cfg(target_os = "linux")]
mod fd;
mod nonblocking;
mod pauses;
mod queue;
mod request;
mod sleepers;

pub use event::WaitError;
pub(crate) use event::wait_with;
#[cfg(target_os = "linux")]
pub(crate) use eventfd::EventFd;
#[cfg(target_os = "linux")]
pub use fd::wait_fd;
#[cfg(target_os = "linux")]
pub(crate) use fd::{system, wait_fd_or};
pub(crate) use nonblocking::is_nonblocking;
pub(crate) use pauses::{NOBODY, begin_pause, end_pause};
pub use queue::{Poller, WaitQueue};
pub(crate) use request::client_of;
pub use request::{Client, Request};
#[cfg(all(test, not(loom)))]
pub(crate) use sleepers::is_closing;
pub(crate) use sleepers::{begin_closing, end_closing, wake_sections, wake_thread};
