//! A thread that carries out an act, again and again, until the device is gone.
use crate::lock::Lock;
use crate::nodes::node::Node;
use crate::testkit::act::{Act, Answer};
use crate::testkit::client::ClientNode;
use crate::testkit::patience::Patience;
use crate::testkit::process::Process;
use crate::testkit::trace::{Guide, Trace};
use crate::testkit::whereabouts::{self, Whereabouts};
use fops_runtime::Request;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// A thread that carries out an act.
pub(super) struct Actor {
    pub(super) name: String,
    pub(super) trace: Arc<Trace>,
    node: Arc<Node>,
    shared: Arc<Shared>,
    request: Arc<Request>,
    thread: Option<thread::JoinHandle<()>>,
    /// It carries the act out, unless this process does.
    process: Option<Arc<Process>>,
}

#[derive(Default)]
struct Shared {
    /// The removal is over: what is called from now on has to say that the device is gone.
    over: AtomicBool,
    /// The device stays: end after the current call.
    enough: AtomicBool,
    progress: Lock<Progress>,
}

/// How far an actor has come.
#[derive(Default)]
pub(super) struct Progress {
    /// Its thread here.
    tid: Option<u32>,
    /// When it called the driver for the first time, as far as is known.
    since: Option<Instant>,
    /// How often the act has returned.
    pub(super) returned: usize,
    /// What it returned while the device was there.
    pub(super) before: HashSet<Answer>,
    /// What a call returned that unplug met, other than that the device is gone.
    pub(super) met: HashSet<Answer>,
    pub(super) end: Option<(End, Instant)>,
}

/// How an actor has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The act said that the device is gone.
    Gone(Answer),
    /// The act was called after the removal, and said this.
    GoesOn(Answer),
    /// The act itself panicked.
    Panicked,
    /// It was told to stop.
    Stopped,
}

impl Actor {
    /// Starts the act on the node.
    pub(super) fn start(act: &Act, node: &Arc<Node>, guide: Option<Arc<dyn Guide>>, patience: Patience) -> Self {
        let trace = Trace::new(node.clone(), guide);
        let client = ClientNode { node: node.clone(), path: None, trace: trace.clone(), patience };
        let act = act.clone();
        Self::start_with(&act.name.clone(), node, trace, None, move || Some(act.run(&client)))
    }

    /// Has a process of its own carry out the act on the node's file.
    pub(super) fn start_process(name: &str, process: Process, node: &Arc<Node>) -> Self {
        let (trace, process) = (Trace::new(node.clone(), None), Arc::new(process));
        let (calls, notes) = (process.clone(), trace.clone());
        Self::start_with(name, node, trace, Some(process), move || {
            notes.state().called += 1;
            calls.call()
        })
    }

    /// `call` carries out the act once; `None` where it cannot.
    fn start_with(
        name: &str,
        node: &Arc<Node>,
        trace: Arc<Trace>,
        process: Option<Arc<Process>>,
        mut call: impl FnMut() -> Option<Answer> + Send + 'static,
    ) -> Self {
        let (shared, request) = (Arc::<Shared>::default(), Request::new(None));
        let actor = (node.clone(), trace.clone(), shared.clone(), request.clone());
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            let (node, trace, shared, request) = actor;
            shared.progress.lock().tid = whereabouts::here();
            let end = trace.run(|| request.run(|| shared.carry_out(&node, &trace, &mut call)));
            drop(call);
            shared.progress.lock().end = Some((end, Instant::now()));
        });
        let failed = thread.is_err();
        let this = Self { name: name.into(), trace, node: node.clone(), shared, request, thread: thread.ok(), process };
        if failed {
            this.progress().end = Some((End::Stopped, Instant::now()));
        }
        this
    }

    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.shared.progress.lock()
    }

    pub(super) const fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Whether it does what it does: it has returned twice, or sleeps in the driver.
    pub(super) fn is_settled(&self) -> bool {
        let progress = self.progress();
        if progress.end.is_some() || progress.returned > 1 {
            return true;
        }
        let since = progress.since;
        drop(progress);
        let state = self.trace.state();
        if state.called == 0 {
            return false;
        }
        let (sleeps, suspects) = (state.sleeps, state.suspects);
        drop(state);
        if sleeps || suspects {
            return true;
        }
        let age = since.map_or(Duration::ZERO, |since| since.elapsed());
        let asleep = || matches!(self.whereabouts(), Whereabouts::Asleep(_) | Whereabouts::Unknown);
        age > Duration::from_millis(100) || (age > Duration::from_millis(10) && asleep())
    }

    /// Whether it sleeps inside a section, of itself.
    pub(super) fn sleeps_in_driver(&self) -> bool {
        let is_inside = self.trace.is_free() && self.trace.section().is_some();
        is_inside && (self.trace.state().sleeps || matches!(self.whereabouts(), Whereabouts::Asleep(_)))
    }

    pub(super) fn end(&self) -> Option<(End, Instant)> {
        self.progress().end
    }

    /// The removal is over.
    pub(super) fn removal_is_over(&self) {
        self.shared.over.store(true, SeqCst);
    }

    /// Has it end after its current call, which a signal interrupts.
    pub(super) fn stop(&self) {
        self.shared.enough.store(true, SeqCst);
        self.request.interrupt();
        self.process.iter().for_each(|process| process.kill());
    }

    /// Whether a process of its own carries it out.
    pub(super) const fn is_process(&self) -> bool {
        self.process.is_some()
    }

    /// Where the thread is that carries it out.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        if let Some(process) = &self.process {
            return process.whereabouts();
        }
        let tid = self.progress().tid;
        tid.map_or(Whereabouts::Unknown, whereabouts::of)
    }

    /// Whether it is the thread of this number.
    pub(super) fn is_thread(&self, tid: u32) -> bool {
        self.progress().tid == Some(tid)
    }

    /// Waits for the thread. Its act has ended before.
    pub(super) fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.process.iter().for_each(|process| process.kill());
    }
}

impl Shared {
    fn carry_out(&self, node: &Node, trace: &Trace, call: &mut impl FnMut() -> Option<Answer>) -> End {
        loop {
            // Read before the call: only one that begins after the removal has to fail.
            let over = self.over.load(SeqCst);
            let was_there = !node.is_unplugged();
            self.progress.lock().since.get_or_insert_with(Instant::now);
            let answer = catch_unwind(AssertUnwindSafe(&mut *call)).ok().flatten();
            let Some(answer) = answer else {
                return if self.enough.load(SeqCst) { End::Stopped } else { End::Panicked };
            };
            let is_gone = node.is_unplugged();
            let mut progress = self.progress.lock();
            progress.returned += 1;
            if is_gone && answer.is_gone() {
                return End::Gone(answer);
            } else if over {
                return End::GoesOn(answer);
            } else if !is_gone {
                progress.before.insert(answer);
            } else if was_there {
                progress.met.insert(answer);
            }
            drop(progress);
            if self.enough.load(SeqCst) {
                return End::Stopped;
            }
            trace.again();
            // Others want to run too.
            thread::sleep(Duration::from_micros(20));
        }
    }
}
