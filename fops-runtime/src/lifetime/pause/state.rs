//! What a lifetime knows of its pause.
use crate::platform;

/// The pause of one device, under its lock. The gate is paused while there is a pauser, or while the device is left paused.
#[derive(Default)]
pub(in crate::lifetime) struct Pause {
    pub(super) pauser: Option<Pauser>,
    /// The device was paused and left so.
    pub(super) is_left: bool,
    /// How many sections were opened inside others while the device was paused.
    pub(super) nested: u64,
}

/// Who pauses a device.
#[derive(Clone, Copy)]
pub(super) struct Pauser {
    pub(super) thread: u64,
    /// In which process: a forked child has not the threads of its parent.
    pub(super) forks: u64,
    /// It has its section: nobody else is at work. Before, it waits for the others.
    pub(super) is_alone: bool,
}

impl Pause {
    pub(in crate::lifetime) const fn new() -> Self {
        Self { pauser: None, is_left: false, nested: 0 }
    }

    /// The pauser, unless that is a thread that a forked child does not have.
    pub(super) fn pauser(&self) -> Option<Pauser> {
        let is_here = |pauser: &Pauser| pauser.forks == platform::forks() || pauser.thread == platform::thread_id();
        self.pauser.filter(is_here)
    }
}
