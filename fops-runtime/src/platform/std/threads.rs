//! The current thread: its number, its name in reports, its slots, and its end.
extern crate std;

use super::fork::AtFork;
use core::cell::Cell;
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
use std::boxed::Box;
use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread_local;

thread_local! {
    // Without destructors: usable in the last moments of a thread too.
    static SPOT: Cell<*const ()> = const { Cell::new(ptr::null()) };
    static OWN_BLOCK: Cell<*const ()> = const { Cell::new(ptr::null()) };
    static AT_EXIT: AtExit = const { AtExit(Cell::new(None)) };
}

/// The thread's slots that are used next, or null.
#[inline(always)]
pub(crate) fn spot() -> *const () {
    SPOT.get()
}

/// The block that they are in, or null.
pub(crate) fn own_block() -> *const () {
    OWN_BLOCK.get()
}

pub(crate) fn set_slots(block: *const (), spot: *const ()) {
    OWN_BLOCK.set(block);
    SPOT.set(spot);
}

/// Has `retire` called when the thread ends. `false` when it is ending already.
pub(crate) fn at_thread_exit(retire: fn()) -> bool {
    AT_EXIT.try_with(|at_exit| at_exit.0.set(Some(retire))).is_ok()
}

/// Whether the thread is in its last moments, in which it keeps no block.
pub(crate) fn is_thread_ending() -> bool {
    AT_EXIT.try_with(|_| ()).is_err()
}

struct AtExit(Cell<Option<fn()>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(retire) = self.0.take() {
            retire();
        }
    }
}

/// What a person calls a thread.
struct Description {
    /// The number that top and gdb show.
    number: String,
    name: Option<String>,
}

type Threads = BTreeMap<u64, Description>;

fn lock_threads() -> MutexGuard<'static, Threads> {
    // Nothing panics under it.
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads that opened a section, and what to call them in a report.
static THREADS: Mutex<Threads> = Mutex::new(BTreeMap::new());
static AT_FORK: AtFork = AtFork::new(|| Box::new(lock_threads()), forget_other_threads);
static NEXT_THREAD: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static REGISTERED: Registered = const { Registered };
}

struct Registered;

impl Drop for Registered {
    fn drop(&mut self) {
        lock_threads().remove(&THREAD.get());
    }
}

/// A number for the current thread, never 0 and never reused.
pub(crate) fn thread_id() -> u64 {
    match THREAD.get() {
        0 => register_thread(),
        id => id,
    }
}

/// The one thread of a forked child has another number there: that of the process.
fn forget_other_threads() {
    let mut threads = lock_threads();
    let here = THREAD.get();
    threads.retain(|&id, _| id == here);
    if let Some(thread) = threads.get_mut(&here) {
        thread.number = std::process::id().to_string();
    }
}

#[cold]
fn register_thread() -> u64 {
    AT_FORK.register();
    // A number of its own: nothing is ordered by it.
    let id = NEXT_THREAD.fetch_add(1, Ordering::Relaxed);
    THREAD.set(id);
    // In the last moments of a thread there is no destructor to take the name back: leave it out.
    if REGISTERED.try_with(|_| ()).is_ok() {
        let name = describe_thread();
        lock_threads().insert(id, name);
    }
    id
}

fn describe_thread() -> Description {
    let thread = std::thread::current();
    // /proc/thread-self -> 77/task/78
    let number = std::fs::read_link("/proc/thread-self")
        .ok()
        .and_then(|path| path.file_name().map(|tid| tid.to_string_lossy().into_owned()))
        .unwrap_or_else(|| std::format!("{:?}", thread.id()));
    Description { number, name: thread.name().map(ToString::to_string) }
}

/// Writes what a person calls the thread: `1234 "worker"`.
pub(crate) fn fmt_thread(id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = lock_threads().get(&id).map(|Description { number, name }| match name {
        Some(name) => std::format!("{number} {name:?}"),
        None => number.clone(),
    });
    match name {
        Some(name) => f.write_str(&name),
        None => write!(f, "#{id}, which has ended"),
    }
}
