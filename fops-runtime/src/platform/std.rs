//! With the standard library.
extern crate std;

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread_local;

pub(crate) use std::time::Instant;

pub(crate) fn now() -> Option<Instant> {
    Some(Instant::now())
}

pub(crate) fn elapsed(since: Instant) -> Duration {
    since.elapsed()
}

/// A lock for short sections. A panic under it leaves it usable: nothing of the crate panics there.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sleepers, by the address of the word they sleep on: a futex in portable clothes.
struct Bucket {
    lock: Mutex<()>,
    changed: Condvar,
}

static BUCKETS: [Bucket; 64] = [const { Bucket { lock: Mutex::new(()), changed: Condvar::new() } }; 64];

fn bucket(word: *const AtomicU32) -> &'static Bucket {
    // Words lie at least a few bytes apart; the multiplication spreads neighbours.
    let hash = (word.addr() >> 2).wrapping_mul(0x9e37_79b9) >> 16;
    &BUCKETS[hash % BUCKETS.len()]
}

/// Sleeps while `word` is `expected`, for at most `timeout`. May return early.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let bucket = bucket(word);
    let guard = bucket.lock.lock().unwrap_or_else(PoisonError::into_inner);
    // The waker changes the word before it takes the lock. So either the change is seen here, or the
    // waker finds the lock free only once this thread sleeps: no wake-up is lost.
    if word.load(Ordering::SeqCst) != expected {
        return;
    }
    match timeout {
        None => drop(bucket.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)),
        Some(timeout) => drop(bucket.changed.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner)),
    }
}

/// Wakes all who sleep on the word at this address, which need not exist any more.
pub(crate) fn wake_all(word: *const AtomicU32) {
    let bucket = bucket(word);
    drop(bucket.lock.lock().unwrap_or_else(PoisonError::into_inner));
    bucket.changed.notify_all();
}

/// Runs `f`; `None` when it panicked.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Option<T> {
    // What a hook leaves half done is the driver's own; nothing of the crate's is touched inside.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // What was thrown may itself throw when it is dropped; then it is left alone.
            if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                core::mem::forget(again);
            }
            None
        }
    }
}

/// Tells the people who run this of something that went wrong.
pub(crate) fn log_error(message: fmt::Arguments<'_>) {
    #[cfg(feature = "tracing")]
    tracing::error!("{message}");
    // `eprintln!` would panic where nobody reads.
    #[cfg(not(feature = "tracing"))]
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("fops: {message}\n"));
}

/// Threads that opened a section, and what to call them in a report.
static THREADS: Mutex<BTreeMap<u64, String>> = Mutex::new(BTreeMap::new());
static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

thread_local! {
    // Without a destructor: usable in the last moments of a thread too.
    static THREAD: core::cell::Cell<u64> = const { core::cell::Cell::new(0) };
    static REGISTERED: Registered = const { Registered };
}

struct Registered;

impl Drop for Registered {
    fn drop(&mut self) {
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).remove(&THREAD.get());
    }
}

/// A number for the current thread, never 0 and never reused.
pub(crate) fn thread_id() -> u64 {
    match THREAD.get() {
        0 => register_thread(),
        id => id,
    }
}

#[cold]
fn register_thread() -> u64 {
    // A number of its own: nothing is ordered by it.
    let id = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
    THREAD.set(id);
    // In the last moments of a thread there is no destructor to take the name back: leave it out.
    if REGISTERED.try_with(|_| ()).is_ok() {
        let name = describe_thread();
        THREADS.lock().unwrap_or_else(PoisonError::into_inner).insert(id, name);
    }
    id
}

/// `1234 "worker"`: the number that top and gdb show, and the name.
fn describe_thread() -> String {
    let thread = std::thread::current();
    // /proc/thread-self -> 77/task/78
    let number = std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|path| path.file_name().map(|tid| tid.to_string_lossy().into_owned()))
        .unwrap_or_else(|| std::format!("{:?}", thread.id()));
    match thread.name() {
        Some(name) => std::format!("{number} {name:?}"),
        None => number,
    }
}

/// Writes what a person calls the thread.
pub(crate) fn fmt_thread(id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = THREADS.lock().unwrap_or_else(PoisonError::into_inner).get(&id).map(ToString::to_string);
    match name {
        Some(name) => f.write_str(&name),
        None => write!(f, "#{id}, which has ended"),
    }
}
