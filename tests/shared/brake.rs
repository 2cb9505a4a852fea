//! Holds an operation up, where it wakes those who poll.
use super::wait::{DEADLINE, eventually};
use fops_host::Descriptor;
use fops_runtime::{PollEvents, Poller};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};

/// Somebody who polls a file, and does not return when he is woken: whoever wakes him stays where he is, inside his
/// section, until the brake is let go of.
pub struct Brake {
    // Polled once and held open: it is woken for as long as it lives.
    _file: Descriptor,
    lever: Arc<Lever>,
}

#[derive(Default)]
struct Lever {
    armed: AtomicBool,
    /// Whether somebody is held.
    held: Mutex<bool>,
    released: Condvar,
}

impl Poller for Lever {
    fn wake(&self) {
        if !self.armed.swap(false, SeqCst) {
            return;
        }
        let mut held = self.held.lock().unwrap();
        *held = true;
        let (_held, timeout) = self.released.wait_timeout_while(held, DEADLINE, |held| *held).unwrap();
        assert!(!timeout.timed_out(), "the brake is not let go of");
    }
}

impl Brake {
    /// Polls the file. Nobody is held yet.
    pub fn new(file: Descriptor) -> Self {
        let lever = Arc::new(Lever::default());
        let poller: Arc<dyn Poller> = lever.clone();
        file.file().poll(PollEvents::PRI, Some(&poller));
        Self { _file: file, lever }
    }

    /// Holds the next one who wakes those who poll, and waits until there is one.
    #[track_caller]
    pub fn hold(&self) {
        self.lever.armed.store(true, SeqCst);
        eventually("somebody is held", || *self.lever.held.lock().unwrap());
    }

    /// Lets go.
    pub fn release(&self) {
        *self.lever.held.lock().unwrap() = false;
        self.lever.released.notify_all();
    }
}

impl Drop for Brake {
    fn drop(&mut self) {
        self.lever.armed.store(false, SeqCst);
        // Whoever is held by a test that fails must not be held longer.
        if let Ok(mut held) = self.lever.held.lock() {
            *held = false;
        }
        self.lever.released.notify_all();
    }
}
