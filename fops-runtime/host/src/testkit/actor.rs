//! A thread that carries out an act, again and again, until the device is gone.
use crate::lock::Lock;
use crate::nodes::node::Node;
use crate::testkit::act::{Act, Answer};
use crate::testkit::client::ClientNode;
use crate::testkit::patience::Patience;
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
    started: Instant,
    thread: Option<thread::JoinHandle<()>>,
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
    tid: Option<u32>,
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
        let shared = Arc::<Shared>::default();
        let request = Request::new(None);
        let client = ClientNode { node: node.clone(), trace: trace.clone(), patience };
        let actor = (act.clone(), trace.clone(), shared.clone(), request.clone());
        let thread = thread::Builder::new().name(act.name.clone()).spawn(move || {
            let (act, trace, shared, request) = actor;
            shared.progress.lock().tid = whereabouts::here();
            let end = trace.run(|| request.run(|| shared.carry_out(&act, &client)));
            drop(client);
            shared.progress.lock().end = Some((end, Instant::now()));
        });
        let failed = thread.is_err();
        let this = Self {
            name: act.name.clone(),
            trace,
            node: node.clone(),
            shared,
            request,
            started: Instant::now(),
            thread: thread.ok(),
        };
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
        let tid = progress.tid;
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
        let age = self.started.elapsed();
        let asleep = || tid.is_none_or(|tid| matches!(whereabouts::of(tid), Whereabouts::Asleep(_)));
        age > Duration::from_millis(100) || (age > Duration::from_millis(10) && asleep())
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
    }

    /// Where its thread is.
    pub(super) fn whereabouts(&self) -> Whereabouts {
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
    }
}

impl Shared {
    fn carry_out(&self, act: &Act, client: &ClientNode) -> End {
        loop {
            // Read before the call: only one that begins after the removal has to fail.
            let over = self.over.load(SeqCst);
            let was_there = !client.node.is_unplugged();
            let Ok(answer) = catch_unwind(AssertUnwindSafe(|| act.run(client))) else { return End::Panicked };
            let is_gone = client.node.is_unplugged();
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
            client.trace.again();
            // Others want to run too.
            thread::sleep(Duration::from_micros(20));
        }
    }
}
