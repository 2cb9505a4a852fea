//! Has an operation held where unplug is to find it: inside its section.
use crate::lock::{Lock, wait};
use crate::testkit::patience::Patience;
use crate::testkit::trace::Guide;
use fops_runtime::Op;
use fops_runtime::points::Point;
use std::panic::resume_unwind;
use std::sync::Condvar;

/// What to do with the operation, as soon as its section is open.
pub(super) enum Deed {
    /// It stays there until it is [released](Ambush::release).
    Hold,
    /// It panics.
    Panic,
    /// It does this first.
    Run(Box<dyn Fn() + Send + Sync>),
}

/// Waits for one operation of one thread, once.
pub(super) struct Ambush {
    op: &'static Op,
    deed: Deed,
    patience: Patience,
    state: Lock<State>,
    changed: Condvar,
}

#[derive(PartialEq)]
enum State {
    Waiting,
    Caught,
    Over,
}

impl Ambush {
    pub(super) const fn new(op: &'static Op, deed: Deed, patience: Patience) -> Self {
        Self { op, deed, patience, state: Lock::new(State::Waiting), changed: Condvar::new() }
    }

    /// Whether the operation is in its section by now.
    pub(super) fn has_caught(&self) -> bool {
        *self.state.lock() != State::Waiting
    }

    /// Lets the operation go, and does not wait for another one.
    pub(super) fn release(&self) {
        *self.state.lock() = State::Over;
        self.changed.notify_all();
    }
}

impl Guide for Ambush {
    fn at(&self, point: Point) {
        let Point::Entered(op) = point else { return };
        let mut state = self.state.lock();
        if *state != State::Waiting || op.name() != self.op.name() || op.type_name() != self.op.type_name() {
            return;
        }
        *state = State::Caught;
        match &self.deed {
            Deed::Hold => {
                let limit = self.patience.limit();
                while *state == State::Caught {
                    let (before, waited) = (std::time::Instant::now(), limit * 4);
                    state = wait(&self.changed, state, Some(waited));
                    // Nobody came: the kit itself must not hang the unplug.
                    if before.elapsed() >= waited {
                        return;
                    }
                }
            }
            Deed::Panic => {
                drop(state);
                // Without the message: it is on purpose.
                resume_unwind(Box::new("in an operation, on purpose"));
            }
            Deed::Run(run) => {
                drop(state);
                run();
            }
        }
    }
}
