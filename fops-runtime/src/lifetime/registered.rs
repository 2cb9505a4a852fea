//! Cancellations of one device: registered by its sections, called by its unplug.
use super::cancel::{Cancellation, State};
use super::notes::Note;
use super::state::{Core, Phase};
use super::work::Work;
use crate::platform;

/// Takes the cancellation back when dropped.
pub(super) struct Registered<'c> {
    core: &'c Core,
    cancellation: &'c Cancellation<'c>,
}

impl Core {
    /// Has `cancellation` called when unplug begins; at once if it has begun.
    pub(super) fn register<'c>(&'c self, cancellation: &'c Cancellation<'c>) -> Registered<'c> {
        if !self.list(cancellation) {
            cancellation.run();
        }
        Registered { core: self, cancellation }
    }

    /// Puts the node into the list, unless unplug has begun.
    pub(super) fn list(&self, cancellation: &Cancellation<'_>) -> bool {
        let mut cold = self.cold().lock();
        let plugged = cold.phase == Phase::Plugged;
        if plugged {
            cold.cancellations.push(cancellation);
        }
        plugged
    }

    /// Takes the node out of the list, unless unplug was faster. Does not wait for a callback that is running.
    #[cfg(feature = "std")]
    pub(super) fn unlist(&self, cancellation: &Cancellation<'_>) -> bool {
        let mut cold = self.cold().lock();
        let listed = cancellation.is_listed();
        if listed {
            cold.cancellations.unlink(cancellation);
            cancellation.state.set(State::Idle);
        }
        listed
    }

    /// Calls every cancellation once. None can be registered behind it: the phase has changed.
    pub(super) fn cancel_all(&self) {
        loop {
            let mut cold = self.cold().lock();
            debug_assert!(cold.phase != Phase::Plugged);
            // SAFETY: null, or a listed node, which is valid by the invariant.
            let Some(node) = (unsafe { cold.cancellations.first().as_ref() }) else { return };
            cold.cancellations.unlink(node);
            cold.note(|record, _| record.cancelled += 1);
            node.state.set(State::Running);
            let key = platform::next_number();
            cold.notes.put(Note { key, work: Work::Cancellation, thread: platform::thread_id() });
            drop(cold);
            // The node stays: its section waits in `Registered::drop` while it is `Running`.
            node.run();
            let mut cold = self.cold().lock();
            cold.notes.remove(key);
            let share = node.release.map(|release| (release, node.data.get()));
            node.state.set(State::Done);
            drop(cold);
            // The node may be gone from here on, unless the list has a share in it.
            self.gate.signal();
            if let Some((release, data)) = share {
                // What the driver left in it may panic when it is dropped.
                // SAFETY: the node was listed, and has been taken out.
                let released = platform::catch(|| unsafe { release(data) });
                if released.is_none() {
                    platform::log_error(format_args!("a cancellation panicked when it was dropped; unplug goes on"));
                }
            }
        }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        loop {
            let mut cold = self.core.cold().lock();
            match self.cancellation.state.get() {
                State::Idle | State::Done => return,
                State::Listed => {
                    cold.cancellations.unlink(self.cancellation);
                    self.cancellation.state.set(State::Idle);
                    return;
                }
                State::Running => {
                    let seen = self.core.gate.event();
                    drop(cold);
                    self.core.gate.wait_event(seen, None);
                }
            }
        }
    }
}
