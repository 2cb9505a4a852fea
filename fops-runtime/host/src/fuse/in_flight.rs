//! The requests that have been read and not been answered.
use super::channel::Kernel;
use super::reply;
use crate::lock::Lock;
use fops_runtime::{Errno, Request};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// The requests that have been read and not been answered, by number.
#[derive(Default)]
pub(super) struct InFlight(Lock<BTreeMap<u64, Flight>>);

enum Flight {
    /// A thread serves it, or is about to.
    Served(Arc<Request>),
    /// No thread waits for it: the code that takes it out of this map sends the answer. An interrupt does not name the
    /// calling thread, so that is kept here, if this process can see it.
    Parked(Option<u32>),
}

/// Whom a signal has reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Interrupted {
    /// The thread that serves the request knows.
    Served,
    /// Nobody does. The calling thread, if it can be seen.
    Parked(Option<u32>),
    /// There is no such request, or not yet.
    Unknown,
}

impl InFlight {
    pub(super) fn begin(&self, unique: u64, request: Arc<Request>) {
        self.0.lock().insert(unique, Flight::Served(request));
    }

    pub(super) fn served(&self, unique: u64) -> Option<Arc<Request>> {
        match self.0.lock().get(&unique) {
            Some(Flight::Served(request)) => Some(request.clone()),
            _ => None,
        }
    }

    /// Its thread does not wait for the answer. Returns whether a signal has come for it by now.
    pub(super) fn park(&self, unique: u64, thread: Option<u32>) -> bool {
        let before = self.0.lock().insert(unique, Flight::Parked(thread));
        matches!(before, Some(Flight::Served(request)) if request.is_interrupted())
    }

    /// It is answered, or about to be. Returns whether it was here.
    pub(super) fn end(&self, unique: u64) -> bool {
        self.0.lock().remove(&unique).is_some()
    }

    pub(super) fn is_here(&self, unique: u64) -> bool {
        self.0.lock().contains_key(&unique)
    }

    /// A signal has come for the caller of the request.
    pub(super) fn interrupt(&self, unique: u64) -> Interrupted {
        match self.0.lock().get(&unique) {
            Some(Flight::Served(request)) => {
                request.interrupt();
                Interrupted::Served
            }
            Some(Flight::Parked(thread)) => Interrupted::Parked(*thread),
            None => Interrupted::Unknown,
        }
    }

    /// Answers a parked request with an error, unless it has been answered.
    pub(super) fn fail(&self, unique: u64, errno: Errno, kernel: &Weak<dyn Kernel>) {
        if self.end(unique)
            && let Some(kernel) = kernel.upgrade()
        {
            kernel.reply(&reply::error(unique, errno));
        }
    }

    /// A signal comes for every request.
    pub(super) fn interrupt_all(&self, kernel: &Weak<dyn Kernel>) {
        let mut parked = Vec::new();
        for (unique, flight) in &*self.0.lock() {
            match flight {
                Flight::Served(request) => request.interrupt(),
                Flight::Parked(_) => parked.push(*unique),
            }
        }
        parked.into_iter().for_each(|unique| self.fail(unique, Errno::EINTR, kernel));
    }
}
