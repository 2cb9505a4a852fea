//! The threads that read requests and run them.
//!
//! Each worker reads a request and runs it itself: a hand-over between threads would cost more than most
//! operations. Whoever takes the last reader's place away starts another, so that there is always one for the
//! next request, an interrupt among others, however many sleep. There are as many as requests in flight, and a
//! few that are idle.
use super::abi::BUFFER;
use super::channel::{Channel, Kernel, Received};
use super::reply::Reply;
use super::serve::Service;
use crate::lock::{Lock, wait};
use std::sync::{Arc, Condvar, MutexGuard, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How many stay when there is nothing to do.
const IDLE: usize = 6;

/// The workers of one mounted directory.
#[derive(Default)]
pub(super) struct Workers {
    state: Lock<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    live: usize,
    /// Those that wait for a request, or are about to.
    idle: usize,
    /// The kernel has closed the channel.
    closed: bool,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one worker; it starts others as needed.
    ///
    /// While a worker runs a request it does not keep the channel open: one that hangs keeps nobody from closing it.
    pub(super) fn start(self: &Arc<Self>, service: &Arc<Service>, channel: &Weak<Channel>) -> std::io::Result<()> {
        {
            let mut state = self.lock();
            state.live += 1;
            state.idle += 1;
        }
        let (workers, service, channel) = (self.clone(), service.clone(), channel.clone());
        let thread = thread::Builder::new().name("fuse".into()).spawn(move || {
            let _live = Live(&workers);
            workers.run(&service, &channel);
        });
        let mut state = self.lock();
        match thread {
            Ok(thread) => {
                state.threads.retain(|thread| !thread.is_finished());
                state.threads.push(thread);
                Ok(())
            }
            Err(error) => {
                state.live -= 1;
                state.idle -= 1;
                Err(error)
            }
        }
    }

    fn run(self: &Arc<Self>, service: &Arc<Service>, channel: &Weak<Channel>) {
        let waiter = match channel.upgrade().map(|channel| channel.waiter()) {
            Some(Ok(waiter)) => waiter,
            stopped => {
                if let Some(Err(error)) = stopped {
                    tracing::error!("fuse: a worker cannot wait for requests: {error}");
                }
                self.lock().idle -= 1;
                return;
            }
        };
        let kernel: Weak<dyn Kernel> = channel.clone();
        let mut buf = vec![0; BUFFER];
        let mut reply = Reply::new();
        while let Some(open) = channel.upgrade() {
            match open.receive(&waiter, &mut buf) {
                Received::Request(len) => {
                    drop(open);
                    if self.was_last_idle()
                        && let Err(error) = self.start(service, channel)
                    {
                        tracing::error!("fuse: no thread for the next request, it waits for this one: {error}");
                    }
                    service.handle(&kernel, &buf[..len], &mut reply);
                    if !self.may_idle() {
                        return;
                    }
                }
                Received::Stopped => break,
                Received::Closed => {
                    self.lock().closed = true;
                    open.stop();
                    break;
                }
            }
        }
        self.lock().idle -= 1;
    }

    /// A worker has a request: whether nobody waits for the next.
    fn was_last_idle(&self) -> bool {
        let mut state = self.lock();
        state.idle -= 1;
        state.idle == 0
    }

    /// A worker has nothing to do: whether it is to wait, or to end.
    fn may_idle(&self) -> bool {
        let mut state = self.lock();
        let stay = state.idle < IDLE;
        state.idle += usize::from(stay);
        stay
    }

    /// Blocks until there are none.
    pub(super) fn wait(&self) {
        let mut state = self.lock();
        while state.live > 0 {
            state = wait(&self.changed, state, None);
        }
    }

    /// Waits until there are none but the calling thread, and joins them. Calls `nudge` first and from time to
    /// time. Returns how many are left after `limit`.
    pub(super) fn join(&self, limit: Duration, nudge: impl Fn()) -> usize {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        let me = thread::current().id();
        let own = usize::from(state.threads.iter().any(|thread| thread.thread().id() == me));
        while state.live > own && Instant::now() < deadline {
            drop(state);
            nudge();
            state = self.lock();
            let period = Duration::from_millis(20);
            if state.live > own {
                state = wait(&self.changed, state, Some(period));
            }
        }
        let left = state.live - own;
        let threads = if left == 0 { std::mem::take(&mut state.threads) } else { Vec::new() };
        drop(state);
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != me) {
            // A panic of a worker was logged where it happened.
            let _ = thread.join();
        }
        left
    }

    /// Whether the kernel has closed the channel: it is unmounted.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics under it.
        self.state.lock()
    }
}

/// A worker that lives; on unwinding too.
struct Live<'a>(&'a Workers);

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.lock().live -= 1;
        self.0.changed.notify_all();
    }
}
