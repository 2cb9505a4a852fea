//! What wakes a thread that sleeps in poll(2) for a request.
extern crate std;

use super::eventfd::EventFd;
use super::request::Request;
use core::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::thread_local;

thread_local! {
    /// The descriptor of this thread, and the process that it was made in: a forked child that used its parent's would
    /// take the parent's wake-ups.
    static OWN: RefCell<Option<(u32, Arc<EventFd>)>> = const { RefCell::new(None) };
}

/// An event that every wake of the request raises, until it is dropped. Each sleep has one of its own, so two threads
/// that serve one request do not take each other's.
pub(super) struct Alarm<'r> {
    request: &'r Request,
    event: Arc<EventFd>,
}

impl<'r> Alarm<'r> {
    /// From here on `request` raises it. The caller looks at what it waits for after this.
    ///
    /// # Errors
    /// `EMFILE` or `ENFILE` when too many files are open, `ENOMEM`.
    pub(super) fn new(request: &'r Request) -> io::Result<Self> {
        let process = std::process::id();
        let own =
            OWN.try_with(|own| own.borrow().as_ref().filter(|(of, _)| *of == process).map(|(_, event)| event.clone()));
        let event = match own.ok().flatten() {
            Some(event) => event,
            None => {
                let event = Arc::new(EventFd::new()?);
                // In the last moments of a thread there is nowhere to keep it.
                let _ = OWN.try_with(|own| own.replace(Some((process, event.clone()))));
                event
            }
        };
        request.alarms().push(event.clone());
        Ok(Self { request, event })
    }

    pub(super) fn event(&self) -> &EventFd {
        &self.event
    }
}

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        let mut alarms = self.request.alarms();
        if let Some(at) = alarms.iter().position(|other| Arc::ptr_eq(other, &self.event)) {
            alarms.swap_remove(at);
        }
    }
}
