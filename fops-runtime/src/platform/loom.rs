//! Under loom, which runs a model in every order that the memory model allows.
extern crate std;

use ::loom::cell::Cell;
use ::loom::sync::{Condvar, Mutex, MutexGuard};
use core::fmt;
use core::ptr;
use core::time::Duration;
use std::panic::{AssertUnwindSafe, catch_unwind};

pub(crate) use super::inline::Lazy;

use super::atomic::{self, AtomicU32};
use super::{Edge, needed_fence};

std::thread_local! {
    // loom runs all threads of a model on one thread of the system.
    static SYMMETRIC: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}

/// From here on, models that this thread runs have the symmetric pair of fences.
#[cfg(test)]
pub(crate) fn go_symmetric() {
    SYMMETRIC.set(true);
}

/// Each model has the pair of fences that it asks for.
pub(crate) fn has_heavy_fence() -> bool {
    !SYMMETRIC.get()
}

/// The light fence of the asymmetric pair. loom knows no asymmetric one: both sides are real.
pub(crate) fn edge_fence(edge: Edge) {
    if SYMMETRIC.get() {
        return;
    }
    needed_fence(match edge {
        Edge::Enter => "fence at enter",
        Edge::Exit => "fence at exit",
    });
}

pub(crate) use std::time::Instant;

/// No time passes in a model.
pub(crate) fn now() -> Option<Instant> {
    None
}

pub(crate) fn elapsed(_: Instant) -> Duration {
    Duration::ZERO
}

pub(crate) struct Lock<T>(Mutex<T>);

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap()
    }
}

/// All sleepers of a model sleep here: futexes in the clothes of a lock.
struct Bed {
    lock: Mutex<()>,
    changed: Condvar,
}

::loom::lazy_static! {
    static ref BED: Bed = Bed { lock: Mutex::new(()), changed: Condvar::new() };
}

pub(crate) fn wait(word: &AtomicU32, expected: u32, _timeout: Option<Duration>) {
    let guard = BED.lock.lock().unwrap();
    if word.load(atomic::Ordering::SeqCst) == expected {
        drop(BED.changed.wait(guard).unwrap());
    }
}

/// Models have few.
pub(crate) const fn expect_sleepers(_: usize) {}

pub(crate) fn wake_all(_word: &AtomicU32) {
    drop(BED.lock.lock().unwrap());
    BED.changed.notify_all();
}

pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(f)).ok()
}

pub(crate) fn log_error(message: fmt::Arguments<'_>) {
    std::eprintln!("{message}");
}

pub(crate) fn heavy_fence() -> bool {
    needed_fence("heavy fence");
    true
}

::loom::thread_local! {
    static BLOCK: Cell<*const ()> = Cell::new(ptr::null());
    static SPOT: Cell<*const ()> = Cell::new(ptr::null());
    static RETIRE: Cell<Option<fn()>> = Cell::new(None);
    static THREAD: u64 = super::next_number();
}

pub(crate) fn spot() -> *const () {
    SPOT.with(|spot| spot.get())
}

pub(crate) fn own_block() -> *const () {
    BLOCK.with(|block| block.get())
}

pub(crate) fn set_slots(block: *const (), spot: *const ()) {
    BLOCK.with(|own| own.set(block));
    SPOT.with(|own| own.set(spot));
}

pub(crate) fn at_thread_exit(retire: fn()) -> bool {
    RETIRE.with(|own| own.set(Some(retire)));
    true
}

/// No model looks at it.
pub(crate) const fn is_thread_ending() -> bool {
    false
}

/// No model forks.
pub(crate) struct AtFork;

impl AtFork {
    pub(crate) const fn new(_hold: fn() -> std::boxed::Box<dyn core::any::Any>, _in_child: fn()) -> Self {
        Self
    }

    pub(crate) const fn outer(_hold: fn() -> std::boxed::Box<dyn core::any::Any>, _in_child: fn()) -> Self {
        Self
    }

    pub(crate) const fn register(&'static self) {}
}

/// The thread of a model ends.
#[cfg(test)]
pub(crate) fn end_thread() {
    if let Some(retire) = RETIRE.with(|own| own.take()) {
        retire();
    }
}

/// Nothing forks here.
pub(crate) const fn forks() -> u64 {
    0
}

pub(crate) fn thread_id() -> u64 {
    THREAD.with(|id| *id)
}

pub(crate) fn fmt_thread(id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{id}")
}
