//! The threads that read requests and run them.
//!
//! A worker reads a request and runs it itself: a hand-over between threads would cost more than most operations.
//!
//! # Why there is always a reader
//! An operation may sleep for hours, and the request that ends its sleep has to be read meanwhile. So a worker runs an
//! operation that may sleep only if another reader is left. If it is the last, it starts another first. If there can be none
//! (a limit on threads, no memory), the operation is refused, and the worker reads on. A later operation tries again.
//! Whatever cannot be refused (a release, `bind`) goes to a reserved thread then. Whatever does not sleep is run by
//! any reader: names, attributes, interrupts, and the beginning of a removal, whose answer is sent when it is done.
//!
//! # Why so few threads read
//! The kernel wakes one more sleeping reader for each request, even if another reader is about to read it. A thread that is
//! woken for nothing costs as much as an operation. So there is one reader for each CPU, and one that is left when these
//! run operations. Further threads are parked: a reader that is the last to read has one of them read.
//!
//! A thread counts as a reader as soon as its operation has ended, before the answer is sent: the answer wakes the client,
//! whose next request may come before this thread has run on.
//!
//! One user's share of the operations is limited, so that no user takes all the threads.
use super::abi::BUFFER;
use super::channel::{Channel, Kernel, Received};
use super::pages::Pages;
use super::reply::Reply;
use super::serve::{Need, Service};
use crate::lock::{Lock, wait};
use crate::log::log;
use fops_runtime::Errno;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, MutexGuard, Weak};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

/// How many more than the readers stay when there is nothing to do.
const PARKED: usize = 4;
/// How many there are from the start: one to run an operation, and one to read meanwhile.
const FIRST: usize = 2;
/// How much stack a driver's operation has, in bytes. Only what is touched is taken.
const STACK: usize = 1 << 20;
/// Up to this size, in bytes, a request is copied out of the buffer that it was read into, for another reader to have that.
const SMALL: usize = 8 << 10;

/// The workers of one mounted directory.
pub(super) struct Workers {
    state: Lock<State>,
    /// How many read requests when there is nothing else to do.
    readers: usize,
    /// A parked thread is to read, or all are to end.
    unparked: Condvar,
    /// A thread has ended.
    ended: Condvar,
    /// There is something to do for the reserved thread, or it is to end.
    deferred: Condvar,
    /// How many operations of one user may be in flight.
    share: usize,
}

#[derive(Default)]
struct State {
    live: HashSet<ThreadId>,
    /// Those of them that read no requests.
    helpers: usize,
    /// Readers that wait for a request, or are about to.
    idle: usize,
    /// Threads that wait until they are to read.
    parked: usize,
    /// The buffers of those that are to read, and do not know it yet.
    unparked: Vec<Pages>,
    /// The kernel has closed the channel.
    closed: bool,
    /// No operation is begun any more.
    refusing: bool,
    stopped: bool,
    /// Buffers for requests that no reader has now.
    spare: Vec<Pages>,
    /// How many operations of each user are in flight.
    users: BTreeMap<u32, usize>,
    /// Requests for the reserved thread.
    deferred: VecDeque<Vec<u8>>,
    /// When it was last said that an operation was refused, and how many were since.
    said: Option<Instant>,
    refused: u64,
}

/// What becomes of a request.
enum Place {
    /// This reader runs it, since it does not sleep.
    Reader,
    /// This thread runs it. Another is the reader.
    Here,
    Deferred,
    Refused(Errno),
}

impl Workers {
    pub(super) fn new(share: usize) -> Self {
        Self {
            state: Lock::default(),
            readers: thread::available_parallelism().map_or(1, usize::from) + 1,
            unparked: Condvar::new(),
            ended: Condvar::new(),
            deferred: Condvar::new(),
            share,
        }
    }

    /// Starts the workers and helpers that there always are; further workers are started as needed.
    ///
    /// While a worker runs a request it does not keep the channel open: one that hangs keeps nobody from closing it.
    ///
    /// # Errors
    /// `EAGAIN` or `ENOMEM`.
    pub(super) fn start(self: &Arc<Self>, service: &Arc<Service>, channel: &Weak<Channel>) -> Result<(), Errno> {
        let kernel: Weak<dyn Kernel> = channel.clone();
        self.start_helper("fuse keeper", {
            let (service, kernel) = (service.clone(), kernel.clone());
            move |workers| service.keeper.run(&kernel, &service.in_flight, || workers.lock().idle)
        })?;
        self.start_helper("fuse reserve", {
            let service = service.clone();
            move |workers| workers.run_deferred(&service, &kernel)
        })?;
        (0..FIRST).try_for_each(|_| self.start_reader(service, channel))
    }

    fn start_helper(self: &Arc<Self>, name: &str, work: impl FnOnce(&Self) + Send + 'static) -> Result<(), Errno> {
        self.spawn(
            name,
            |state| state.helpers += 1,
            move |workers| {
                work(workers);
                workers.lock().helpers -= 1;
            },
        )
    }

    fn start_reader(self: &Arc<Self>, service: &Arc<Service>, channel: &Weak<Channel>) -> Result<(), Errno> {
        let spare = self.lock().spare.pop();
        let buf = spare.map_or_else(|| Pages::present(BUFFER), Ok)?;
        let mut state = self.lock();
        if state.parked > 0 {
            state.parked -= 1;
            state.idle += 1;
            state.unparked.push(buf);
            self.unparked.notify_one();
            return Ok(());
        }
        drop(state);
        let (service, channel) = (service.clone(), channel.clone());
        self.spawn("fuse", |state| state.idle += 1, move |workers| workers.read(&service, &channel, buf))
    }

    /// Starts a thread and counts it. Both happen under the lock, so no count is ever half of it.
    fn spawn(
        self: &Arc<Self>,
        name: &str,
        count: impl FnOnce(&mut State),
        work: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Result<(), Errno> {
        // A thread that starts and then finds no memory would end the process.
        if !Pages::are_there(STACK) {
            return Err(Errno::ENOMEM);
        }
        let workers = self.clone();
        let mut state = self.lock();
        let thread = thread::Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
            let _live = Live(&workers);
            work(&workers);
        });
        // The new thread waits for the lock before it changes either.
        state.live.insert(thread.map_err(Errno::from)?.thread().id());
        count(&mut state);
        Ok(())
    }

    fn read(self: &Arc<Self>, service: &Arc<Service>, channel: &Weak<Channel>, buf: Pages) {
        let kernel: Weak<dyn Kernel> = channel.clone();
        let (mut small, mut reply) = (Vec::new(), Reply::new());
        let mut buf = Some(buf);
        while let (Some(open), Some(reads)) = (channel.upgrade(), buf.as_mut()) {
            let len = match open.receive(reads) {
                Received::Request(len) => len,
                Received::Stopped => break,
                Received::Closed => {
                    self.close();
                    open.stop();
                    service.keeper.stop(None);
                    break;
                }
            };
            drop(open);
            let Some((need, header)) = service.look(&kernel, &reads[..len], &mut reply) else { continue };
            let user = header.uid;
            match self.place(need, user, service, channel) {
                Place::Reader => {
                    service.handle(&kernel, &reads[..len], &mut reply, || ());
                }
                Place::Refused(errno) => service.refuse(&kernel, &reads[..len], errno, &mut reply),
                Place::Deferred => self.defer(&reads[..len]),
                Place::Here => {
                    let bytes = if len <= SMALL {
                        small.clear();
                        small.extend_from_slice(&reads[..len]);
                        self.lock().spare.extend(buf.take());
                        &small[..]
                    } else {
                        &reads[..len]
                    };
                    let (mut is_reader, mut next, held) = (false, None, len > SMALL);
                    let served = || is_reader = self.become_reader(need, user, held, &mut next);
                    service.handle(&kernel, bytes, &mut reply, served);
                    buf = buf.or(next);
                    if !is_reader && !self.park(&mut buf) {
                        return;
                    }
                }
            }
        }
        self.lock().idle -= 1;
    }

    /// Who runs a request. For [`Place::Here`] this is no reader any more.
    fn place(self: &Arc<Self>, need: Need, user: u32, service: &Arc<Service>, channel: &Weak<Channel>) -> Place {
        if need == Need::Nothing {
            return Place::Reader;
        }
        loop {
            {
                let mut state = self.lock();
                if state.refusing {
                    // As the kernel says once it is unmounted.
                    return Place::Refused(Errno::from_raw(libc::ECONNABORTED));
                }
                if need.is_counted() && state.users.get(&user).is_some_and(|count| *count >= self.share) {
                    state.refuse(|| {
                        format!("user {user} has {} operations in flight, the most it may have", self.share)
                    });
                    return Place::Refused(Errno::EAGAIN);
                }
                if state.idle > 1 {
                    state.idle -= 1;
                    if need.is_counted() {
                        *state.users.entry(user).or_default() += 1;
                    }
                    return Place::Here;
                }
            }
            if let Err(errno) = self.start_reader(service, channel) {
                if need == Need::Always {
                    return Place::Deferred;
                }
                self.lock().refuse(|| format!("there can be no thread for it: {errno}"));
                return Place::Refused(Errno::ENOMEM);
            }
        }
    }

    /// A worker has run a request: whether it reads again. If it holds no buffer, it gets one in `next` then.
    fn become_reader(&self, need: Need, user: u32, held: bool, next: &mut Option<Pages>) -> bool {
        let mut state = self.lock();
        if need.is_counted()
            && let Some(count) = state.users.get_mut(&user)
        {
            *count -= 1;
            if *count == 0 {
                state.users.remove(&user);
            }
        }
        if state.idle >= self.readers {
            return false;
        }
        if !held {
            *next = state.spare.pop().or_else(|| Pages::present(BUFFER).ok());
        }
        let is_reader = held || next.is_some();
        state.idle += usize::from(is_reader);
        is_reader
    }

    /// Waits until this thread is to read. Returns `false` if it is to end.
    fn park(&self, buf: &mut Option<Pages>) -> bool {
        let mut state = self.lock();
        state.spare.extend(buf.take());
        state.spare.truncate(1);
        if state.parked >= PARKED {
            return false;
        }
        state.parked += 1;
        loop {
            // Counted by the thread that gave it.
            *buf = state.unparked.pop();
            if buf.is_some() {
                return true;
            }
            if state.closed || state.stopped {
                state.parked -= 1;
                return false;
            }
            state = wait(&self.unparked, state, None);
        }
    }

    fn defer(&self, bytes: &[u8]) {
        self.lock().deferred.push_back(bytes.to_vec());
        self.deferred.notify_all();
    }

    /// Runs what the readers have no thread for.
    fn run_deferred(&self, service: &Service, kernel: &Weak<dyn Kernel>) {
        let mut reply = Reply::new();
        let mut state = self.lock();
        while !state.stopped && !state.closed {
            match state.deferred.pop_front() {
                Some(bytes) => {
                    drop(state);
                    service.handle(kernel, &bytes, &mut reply, || ());
                    state = self.lock();
                }
                None => state = wait(&self.deferred, state, None),
            }
        }
    }

    fn close(&self) {
        self.lock().closed = true;
        self.deferred.notify_all();
        self.unparked.notify_all();
    }

    /// Blocks until the kernel has closed the channel and no worker is left.
    pub(super) fn wait(&self) {
        let mut state = self.lock();
        while state.live.len() > state.helpers {
            state = wait(&self.ended, state, None);
        }
    }

    /// Refuses every operation from here on, and waits until none is in flight except the calling thread's. Calls `nudge`
    /// first and from time to time. Returns how many are left after `limit`.
    pub(super) fn settle(&self, limit: Duration, nudge: impl Fn()) -> usize {
        self.lock().refusing = true;
        let me = thread::current().id();
        let busy = |state: &State| {
            state.live.len() - state.helpers - state.idle - state.parked - usize::from(state.live.contains(&me))
        };
        self.wait_until(limit, busy, nudge)
    }

    /// Waits until no thread is left except the calling one, for at most `limit`.
    pub(super) fn join(&self, limit: Duration) {
        self.lock().stopped = true;
        self.deferred.notify_all();
        self.unparked.notify_all();
        let me = thread::current().id();
        self.wait_until(limit, |state| state.live.len() - usize::from(state.live.contains(&me)), || {});
    }

    fn wait_until(&self, limit: Duration, left: impl Fn(&State) -> usize, nudge: impl Fn()) -> usize {
        let deadline = Instant::now() + limit;
        let mut state = self.lock();
        while left(&state) > 0 && Instant::now() < deadline {
            drop(state);
            nudge();
            state = self.lock();
            if left(&state) > 0 {
                state = wait(&self.ended, state, Some(Duration::from_millis(5)));
            }
        }
        left(&state)
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

impl State {
    /// Says that an operation is refused, once a second at most.
    fn refuse(&mut self, why: impl FnOnce() -> String) {
        self.refused += 1;
        if self.said.is_none_or(|said| said.elapsed() > Duration::from_secs(1)) {
            let (refused, why) = (self.refused, why());
            log!(warn, "fuse: refused {refused} operations: {why}");
            self.said = Some(Instant::now());
            self.refused = 0;
        }
    }
}

/// A thread that lives; on unwinding too.
struct Live<'a>(&'a Workers);

impl Drop for Live<'_> {
    fn drop(&mut self) {
        // The thread that started this one holds the lock until it has noted it.
        self.0.lock().live.remove(&thread::current().id());
        self.0.ended.notify_all();
    }
}
