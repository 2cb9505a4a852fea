//! What a thread of the kit does in the driver: which operations it is in, and which an unplug met there.
use crate::lock::Lock;
use crate::nodes::node::Node;
use crate::nodes::observer::{Observer, observe};
use fops_runtime::points::{Point, at_points};
use fops_runtime::{Op, PollEvents, Stay};
use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

/// Decides how long a thread stays where it is.
pub(super) trait Guide: Send + Sync {
    /// It is at a point of its section.
    fn at(&self, point: Point);

    /// Its act has returned, and is about to be carried out again.
    fn again(&self) {}

    /// It is about to do the first thing.
    fn begins(&self) {}

    /// It has done the last thing.
    fn ended(&self) {}
}

/// The notes on one thread.
pub(super) struct Trace {
    node: Arc<Node>,
    guide: Option<Arc<dyn Guide>>,
    state: Lock<State>,
}

#[derive(Default)]
pub(super) struct State {
    /// The operations that it is in, and whether the device was there when it was called.
    calls: Vec<(&'static str, bool)>,
    /// The sections that it is in.
    sections: Vec<&'static Op>,
    /// Whether it sleeps in `wait_event`.
    pub(super) sleeps: bool,
    /// The operation that kept an unplug waiting for the longest, of those that are declared brief.
    pub(super) late: Option<(&'static Op, Duration)>,
    /// The sections that it has opened.
    pub(super) opened: Vec<&'static Op>,
    /// How many operations it has called.
    pub(super) called: usize,
    pub(super) met: Met,
    /// The operations that panicked.
    pub(super) panicked: Vec<&'static str>,
    /// The mask has events, and nobody has told the thread that sleeps in poll.
    pub(super) unheard: Option<PollEvents>,
    /// It may be so: the thread is about to find out.
    pub(super) suspects: bool,
}

/// The operations that unplugs met.
#[derive(Default, Clone)]
pub(super) struct Met {
    /// They were in flight when unplug began: the sections' own operations.
    pub(super) sections: BTreeSet<(&'static str, &'static str)>,
    /// Likewise, the operations of files that have no section.
    pub(super) calls: BTreeSet<&'static str>,
    /// They slept in their sections when unplug was about to begin.
    pub(super) slept: BTreeSet<(&'static str, &'static str)>,
    /// They were called after unplug.
    pub(super) after: BTreeSet<&'static str>,
}

impl Met {
    pub(super) fn add(&mut self, other: Self) {
        self.sections.extend(other.sections);
        self.calls.extend(other.calls);
        self.slept.extend(other.slept);
        self.after.extend(other.after);
    }
}

impl Trace {
    pub(super) fn new(node: Arc<Node>, guide: Option<Arc<dyn Guide>>) -> Arc<Self> {
        Arc::new(Self { node, guide, state: Lock::default() })
    }

    /// Runs `f` on this thread, and notes what it does.
    pub(super) fn run<T>(self: &Arc<Self>, f: impl FnOnce() -> T) -> T {
        let trace = self.clone();
        self.guide.iter().for_each(|guide| guide.begins());
        let result = observe(self.clone(), || at_points(Arc::new(move |point| trace.reaches(point)), f));
        self.guide.iter().for_each(|guide| guide.ended());
        result
    }

    /// The act begins again.
    pub(super) fn again(&self) {
        self.guide.iter().for_each(|guide| guide.again());
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The operation that the thread is in: its place in the source, if it is in a section.
    pub(super) fn place(&self) -> Option<String> {
        let state = self.state();
        let section = state.sections.last().map(ToString::to_string);
        section.or_else(|| state.calls.last().map(|(op, _)| format!("{op}, outside of any section")))
    }

    /// The innermost section that the thread is in.
    pub(super) fn section(&self) -> Option<&'static Op> {
        self.state().sections.last().copied()
    }

    /// Whether nobody decides how long the thread stays where it is.
    pub(super) const fn is_free(&self) -> bool {
        self.guide.is_none()
    }

    /// What unplugs have met, with what the thread is in now.
    pub(super) fn met(&self) -> Met {
        let state = self.state();
        let mut met = state.met.clone();
        if self.node.is_unplugged() {
            met.sections.extend(state.sections.iter().map(|op| key(op)));
            met.calls.extend(state.calls.iter().filter(|(_, before)| *before).map(|(op, _)| *op));
        }
        met
    }

    fn reaches(&self, point: Point) {
        let mut state = self.state();
        match point {
            Point::Entered(op) => {
                state.sections.push(op);
                if !state.opened.iter().any(|known| key(known) == key(op)) {
                    state.opened.push(op);
                }
            }
            Point::Leaving => {
                if let Some(op) = state.sections.pop()
                    && self.node.is_unplugged()
                {
                    state.met.sections.insert(key(op));
                    // A guide may have held it there.
                    let waited = self.node.gone_for().filter(|_| op.stay() == Stay::Brief && self.is_free());
                    if let Some(waited) = waited
                        && state.late.is_none_or(|(_, worst)| worst < waited)
                    {
                        state.late = Some((op, waited));
                    }
                }
            }
            Point::Sleeping => state.sleeps = true,
            Point::Woken => state.sleeps = false,
            _ => {}
        }
        drop(state);
        if let Some(guide) = &self.guide {
            guide.at(point);
        }
    }
}

/// What tells one operation from another.
pub(super) const fn key(op: &'static Op) -> (&'static str, &'static str) {
    (op.type_name(), op.name())
}

impl Observer for Trace {
    fn called(&self, op: &'static str) {
        let gone = self.node.is_unplugged();
        let mut state = self.state();
        state.called += 1;
        state.calls.push((op, !gone));
        if gone {
            state.met.after.insert(op);
        }
    }

    fn returned(&self, op: &'static str, panicked: bool) {
        let gone = self.node.is_unplugged();
        let mut state = self.state();
        let before = state.calls.pop().is_some_and(|(_, before)| before);
        if before && gone {
            state.met.calls.insert(op);
        }
        if panicked {
            state.panicked.push(op);
        }
    }
}
