//! What keeps a node in the table of nodes.
use crate::lock::Lock;
use std::sync::{MutexGuard, Weak};

/// The table that a node stands in.
pub(crate) trait Table: Send + Sync {
    /// Takes out the nodes that are gone.
    fn sweep(&self);
}

/// What keeps a node among its [`Devices`].
pub(crate) struct Registration {
    table: Weak<dyn Table>,
    state: Lock<State>,
}

struct State {
    registered: bool,
    /// How many drivers are being unloaded whose code must not be entered any more: its own, and those it goes with.
    refusing: usize,
    open: usize,
}

impl State {
    const fn is_gone(&self) -> bool {
        !self.registered && self.open == 0
    }
}

impl Registration {
    pub(crate) fn new(table: Weak<dyn Table>) -> Self {
        Self { table, state: Lock::new(State { registered: true, refusing: 0, open: 0 }) }
    }

    /// Counts a file that is being opened, unless there must be none.
    pub(crate) fn opened(&self) -> bool {
        let mut state = self.lock();
        let accepted = state.refusing == 0;
        state.open += usize::from(accepted);
        accepted
    }

    /// Refuses files from here on. `false`, and without effect, while one is open.
    pub(crate) fn refuse_opens(&self) -> bool {
        let mut state = self.lock();
        let refused = state.open == 0;
        state.refusing += usize::from(refused);
        refused
    }

    /// For whom [`refuse_opens`](Self::refuse_opens) said `true`.
    pub(crate) fn accept_opens(&self) {
        self.lock().refusing -= 1;
    }

    pub(crate) fn closed(&self) {
        let mut state = self.lock();
        state.open -= 1;
        let gone = state.is_gone();
        drop(state);
        if gone && let Some(table) = self.table.upgrade() {
            table.sweep();
        }
    }

    /// The node's device is gone.
    pub(crate) fn unregister(&self) {
        self.lock().registered = false;
    }

    /// Whether nothing keeps the node any more.
    pub(crate) fn is_gone(&self) -> bool {
        self.lock().is_gone()
    }

    /// Whether its driver has not taken it down yet.
    #[cfg(feature = "testkit")]
    pub(crate) fn is_registered(&self) -> bool {
        self.lock().registered
    }

    /// Whether only open files keep it.
    #[cfg(all(feature = "fuse", target_os = "linux"))]
    pub(crate) fn is_leaving(&self) -> bool {
        let state = self.lock();
        !state.registered && state.open > 0
    }

    pub(crate) fn open_files(&self) -> usize {
        self.lock().open
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

#[cfg(all(test, feature = "fuse", target_os = "linux"))]
mod tests {
    use super::*;
    use crate::nodes::devices::Devices;

    #[test]
    fn a_node_is_leaving_while_only_files_keep_it() {
        let registration = Registration::new(Weak::<Devices>::new());
        assert!(registration.opened() && !registration.is_leaving());
        registration.unregister();
        assert!(registration.is_leaving() && !registration.is_gone());
        registration.closed();
        assert!(registration.is_gone() && !registration.is_leaving());
    }
}
