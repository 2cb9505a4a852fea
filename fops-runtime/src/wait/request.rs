//! The request that a thread serves: whose it is, and whether a signal has come for it.
extern crate std;

#[cfg(target_os = "linux")]
use super::eventfd::EventFd;
use crate::platform::atomic::{AtomicBool, AtomicU32, Ordering};
use crate::platform::{self, AtFork, Lock, needed};
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::String;
use std::sync::Arc;
use std::thread_local;

/// Who asked: the process behind a request.
///
/// Displays as `42 (v4l2-ctl)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Its process id; 0 where it is in a namespace that the host cannot see.
    pub pid: u32,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

impl Client {
    /// The process `pid` of this user and group.
    pub const fn new(pid: u32, uid: u32, gid: u32) -> Self {
        Self { pid, uid, gid }
    }

    /// The name of its program, while it runs.
    pub fn command(&self) -> Option<String> {
        let name = std::fs::read_to_string(std::format!("/proc/{}/comm", self.pid)).ok()?;
        Some(name.trim_end().into())
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.command() {
            Some(command) => write!(f, "{} ({command})", self.pid),
            None => write!(f, "{}", self.pid),
        }
    }
}

/// One system call that a host serves.
///
/// The host makes it the current request of the thread that runs the operation, so that sleeps inside are
/// interruptible without a parameter. An interrupt that comes before the operation has begun is kept. Several threads
/// may serve one request: an interrupt ends the sleeps of all of them.
///
/// ```
/// use fops_runtime::{DeviceLifetime, Request, WaitError, WaitQueue};
/// use fops_runtime::op::op;
///
/// let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
/// let request = Request::new(None);
/// request.interrupt();
/// let answer = request.run(|| lifetime.enter(op!("read")).unwrap().wait_event(&queue, || None::<()>));
/// assert_eq!(answer, Err(WaitError::Interrupted));
/// ```
pub struct Request {
    client: Option<Client>,
    /// Changes whenever the thread that serves the request has something to look at.
    event: AtomicU32,
    interrupted: AtomicBool,
    /// Raised at each change too, one for each thread that sleeps in poll(2) for this request.
    #[cfg(target_os = "linux")]
    alarms: Lock<std::vec::Vec<Arc<EventFd>>>,
}

thread_local! {
    static CURRENT: RefCell<Option<Arc<Request>>> = const { RefCell::new(None) };
}

platform::shared_static! {
    /// The requests that are being served, by thread: for reports.
    static RUNNING: Lock<BTreeMap<u64, Client>> = Lock::new(BTreeMap::new());
}

static AT_FORK: AtFork = AtFork::new(|| Box::new(RUNNING.lock()), forget_other_threads);

/// A forked child has no other threads.
fn forget_other_threads() {
    let here = platform::thread_id();
    RUNNING.lock().retain(|&thread, _| thread == here);
}

/// Whose request the thread serves.
pub(crate) fn client_of(thread: u64) -> Option<Client> {
    AT_FORK.register();
    RUNNING.lock().get(&thread).copied()
}

impl Request {
    /// A request of `client`, where the host knows it.
    pub fn new(client: Option<Client>) -> Arc<Self> {
        Arc::new(Self {
            client,
            event: AtomicU32::new(0),
            interrupted: AtomicBool::new(false),
            #[cfg(target_os = "linux")]
            alarms: Lock::new(std::vec::Vec::new()),
        })
    }

    /// Whose it is.
    pub const fn client(&self) -> Option<Client> {
        self.client
    }

    /// A signal has come: the sleep that serves this request, now or later, answers
    /// [`WaitError::Interrupted`](crate::WaitError::Interrupted).
    pub fn interrupt(&self) {
        // Relaxed: the event that follows has the order.
        self.interrupted.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether a signal has come.
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// Runs `serve` on this thread with this as the current request.
    pub fn run<T>(self: &Arc<Self>, serve: impl FnOnce() -> T) -> T {
        /// Puts the request from before back, on unwinding too.
        struct Restore(Option<Arc<Request>>);

        impl Drop for Restore {
            fn drop(&mut self) {
                let before = self.0.take();
                note_client(before.as_deref());
                let _ = CURRENT.try_with(|current| current.replace(before));
            }
        }

        // In the last moments of a thread there is nowhere to keep it: then nobody interrupts.
        let before = CURRENT.try_with(|current| current.replace(Some(self.clone())));
        let _restore = Restore(before.unwrap_or_default());
        note_client(Some(self));
        serve()
    }

    /// The request that this thread serves, for a host whose own code sleeps or asks for the client. Outside of one there
    /// is a new one, which nobody interrupts.
    ///
    /// ```
    /// use fops_runtime::{Client, Request};
    ///
    /// let client = Some(Client::new(42, 0, 0));
    /// assert_eq!(Request::new(client).run(|| Request::current().client()), client);
    /// assert_eq!(Request::current().client(), None);
    /// ```
    pub fn current() -> Arc<Self> {
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current.ok().flatten().unwrap_or_else(|| Self::new(None))
    }

    /// Has the thread that serves the request look again at what it waits for.
    pub(crate) fn wake(&self) {
        // Release: what the thread is to look at was changed before.
        self.event.fetch_add(1, needed("release of a request's event", Ordering::Release));
        platform::wake_all(&self.event);
        // Under the lock: an alarm is put there before its owner looks at what has changed, so either it is raised or
        // the change is seen.
        #[cfg(target_os = "linux")]
        self.alarms.lock().iter().for_each(|alarm| alarm.raise());
    }

    #[cfg(target_os = "linux")]
    pub(super) fn alarms(&self) -> impl core::ops::DerefMut<Target = std::vec::Vec<Arc<EventFd>>> {
        self.alarms.lock()
    }

    /// What [`Request::sleep`] is to be given, read before looking at what one waits for.
    pub(crate) fn event(&self) -> u32 {
        // Acquire pairs with the release in `wake`.
        self.event.load(needed("acquire of a request's event", Ordering::Acquire))
    }

    /// Sleeps until [`Request::wake`] has run since [`Request::event`], or for `timeout`. May return early.
    pub(crate) fn sleep(&self, seen: u32, timeout: Option<Duration>) {
        platform::wait(&self.event, seen, timeout);
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interrupted = self.is_interrupted();
        f.debug_struct("Request")
            .field("client", &self.client)
            .field("interrupted", &interrupted)
            .finish_non_exhaustive()
    }
}

fn note_client(request: Option<&Request>) {
    let thread = platform::thread_id();
    AT_FORK.register();
    let mut running = RUNNING.lock();
    match request.and_then(|request| request.client) {
        Some(client) => running.insert(thread, client),
        None => running.remove(&thread),
    };
}
