//! What the tests of the runtime share: a device whose hooks note what happens, and waits that fail loudly.
#![allow(dead_code, unreachable_pub, unused_imports, reason = "each test file uses its part")]
mod deadline;
mod skip;

pub use deadline::{DEADLINE, eventually};
pub use skip::skip;

use fops_runtime::{Cause, DeviceLifetime, Part, Parts, Unpluggable};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

/// The resources: count how often they are dropped.
#[derive(Debug)]
pub struct Registers(pub &'static AtomicUsize);

impl Drop for Registers {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// A counter that lives as long as the test.
pub fn counter() -> &'static AtomicUsize {
    Box::leak(Box::new(AtomicUsize::new(0)))
}

type Hook = Box<dyn Fn(&Device) + Send + Sync>;

/// A device with hooks that a test sets.
pub struct Device {
    pub lifetime: DeviceLifetime<Registers>,
    pub dropped: &'static AtomicUsize,
    pub stops: Mutex<Vec<Cause>>,
    pub wakes: AtomicUsize,
    pub on_stop: Option<Hook>,
    pub on_wake: Option<Hook>,
}

impl Device {
    pub fn new() -> Self {
        let dropped = counter();
        let lifetime = DeviceLifetime::new(Registers(dropped));
        Self { lifetime, dropped, stops: Mutex::default(), wakes: AtomicUsize::new(0), on_stop: None, on_wake: None }
    }

    pub fn drops(&self) -> usize {
        self.dropped.load(SeqCst)
    }
}

impl fops_runtime::Device for Device {
    type Resources = Registers;

    fn lifetime(&self) -> &DeviceLifetime<Registers> {
        &self.lifetime
    }

    fn stop(&self, _: &Registers, cause: Cause) {
        self.stops.lock().unwrap().push(cause);
        if let Some(hook) = &self.on_stop {
            hook(self);
        }
    }

    fn wake(&self, _: &Registers) -> bool {
        self.wakes.fetch_add(1, SeqCst);
        if let Some(hook) = &self.on_wake {
            hook(self);
        }
        self.on_wake.is_some()
    }
}

impl Unpluggable for Device {
    type Resources = Registers;

    fn parts(&self) -> impl Parts<Resources = Registers> {
        Part::of(self)
    }
}

/// Ends the whole run, loudly, if `test` neither ends nor [goes on](Watchdog::goes_on) within the deadline: a thread that nobody wakes cannot be
/// joined.
pub fn watchdog(test: &'static str) -> Watchdog {
    let (goes_on, has_gone_on) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        loop {
            match has_gone_on.recv_timeout(DEADLINE) {
                Ok(()) => {}
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => return,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    eprintln!("{test} hangs: somebody was not woken");
                    std::process::abort();
                }
            }
        }
    });
    Watchdog(goes_on)
}

/// Watches until it is dropped.
pub struct Watchdog(std::sync::mpsc::Sender<()>);

impl Watchdog {
    /// From here on, the deadline begins anew.
    pub fn goes_on(&self) {
        let _ = self.0.send(());
    }
}

/// How often a race is tried; fewer where `FOPS_QUICK` is set.
pub fn rounds(all: usize) -> usize {
    if std::env::var_os("FOPS_QUICK").is_some() { all / 10 } else { all }
}
