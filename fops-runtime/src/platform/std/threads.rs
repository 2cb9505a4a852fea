//! The current thread: its number, its name in reports, its slots, and its end.
extern crate std;

use core::cell::{Cell, RefCell};
use core::fmt;
use core::ptr;
use core::sync::atomic::{AtomicU64, Ordering};
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

/// How many forks lie between this process and the one that opened the first section. What the threads of another
/// process have put into a list is not this process's own: their stacks may be anything here.
pub(crate) fn forks() -> u64 {
    // Relaxed: written before the child runs anything else.
    FORKS.load(Ordering::Relaxed)
}

static FORKS: AtomicU64 = AtomicU64::new(0);

/// Has `forget` called in every child that is forked from here on, before the fork returns there. What this file locks
/// is held by no other thread at that moment: the child does not have them.
pub(crate) fn at_fork_in_child(forget: fn()) {
    #[cfg(target_os = "linux")]
    {
        static FORGET: std::sync::OnceLock<fn()> = std::sync::OnceLock::new();
        thread_local!(static HELD: RefCell<Option<MutexGuard<'static, Threads>>> = const { RefCell::new(None) });
        extern "C" fn before() {
            // In the last moments of a thread there is nowhere to keep it.
            let _ = HELD.try_with(|held| held.replace(Some(lock_threads())));
        }
        extern "C" fn after() {
            let _ = HELD.try_with(|held| held.replace(None));
        }
        extern "C" fn in_child() {
            FORKS.fetch_add(1, Ordering::Relaxed);
            after();
            if let Some(forget) = FORGET.get() {
                forget();
            }
        }
        if FORGET.set(forget).is_ok() {
            // SAFETY: the handlers are functions without captures. Without memory for them, a forked child would wait
            // for its parent's sections if it unplugs: it hangs, and frees nothing.
            unsafe { libc::pthread_atfork(Some(before), Some(after), Some(in_child)) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = forget;
}

struct AtExit(Cell<Option<fn()>>);

impl Drop for AtExit {
    fn drop(&mut self) {
        if let Some(retire) = self.0.take() {
            retire();
        }
    }
}

type Threads = BTreeMap<u64, String>;

fn lock_threads() -> MutexGuard<'static, Threads> {
    // Nothing panics under it.
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads that opened a section, and what to call them in a report.
static THREADS: Mutex<Threads> = Mutex::new(BTreeMap::new());
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

#[cold]
fn register_thread() -> u64 {
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
    let name = lock_threads().get(&id).map(ToString::to_string);
    match name {
        Some(name) => f.write_str(&name),
        None => write!(f, "#{id}, which has ended"),
    }
}
