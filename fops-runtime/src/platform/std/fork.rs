//! What a forked child finds. It has only the thread that forked, so no other one would release a lock there.
extern crate std;

use core::any::Any;
use core::cell::RefCell;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use std::boxed::Box;
use std::thread_local;
use std::vec::Vec;

/// What one static needs at a fork. It has to be [registered](Self::register) before the static is used.
pub(crate) struct AtFork {
    /// Takes the static's lock, which is kept during the fork.
    hold: fn() -> Box<dyn Any>,
    /// Whether a thread that has this lock may take others of these. Two of one kind must not be taken inside each other.
    is_outer: bool,
    /// Runs in the child, where the locks are free again, before the fork returns.
    in_child: fn(),
    is_registered: AtomicBool,
    next: AtomicPtr<AtFork>,
}

/// All that are registered, the newest first. A list without a lock, because there is nobody to hold this one.
static REGISTERED: AtomicPtr<AtFork> = AtomicPtr::new(ptr::null_mut());

static FORKS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The locks that the thread holds while it forks.
    static HELD: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

impl AtFork {
    pub(crate) const fn new(hold: fn() -> Box<dyn Any>, in_child: fn()) -> Self {
        let next = AtomicPtr::new(ptr::null_mut());
        Self { hold, is_outer: false, in_child, is_registered: AtomicBool::new(false), next }
    }

    /// For a lock under which others of these are taken.
    pub(crate) const fn outer(hold: fn() -> Box<dyn Any>, in_child: fn()) -> Self {
        Self { is_outer: true, ..Self::new(hold, in_child) }
    }

    /// From here on, forks respect it. Cheap after the first call.
    pub(crate) fn register(&'static self) {
        // Relaxed: the swap decides.
        if self.is_registered.load(Ordering::Relaxed) || self.is_registered.swap(true, Ordering::Relaxed) {
            return;
        }
        watch();
        let mut first = REGISTERED.load(Ordering::Relaxed);
        loop {
            self.next.store(first, Ordering::Relaxed);
            // Release: a thread that forks sees `next`.
            let new = ptr::from_ref(self).cast_mut();
            match REGISTERED.compare_exchange(first, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => return,
                Err(newer) => first = newer,
            }
        }
    }
}

fn registered() -> impl Iterator<Item = &'static AtFork> {
    // SAFETY: null, or made of a `&'static AtFork` in `register`.
    let node = |at: *mut AtFork| unsafe { at.cast_const().as_ref() };
    // Acquire pairs with the release in `register`. An older node was there before the newer one.
    let first = node(REGISTERED.load(Ordering::Acquire));
    core::iter::successors(first, move |seen| node(seen.next.load(Ordering::Acquire)))
}

/// How many forks lie between this process and the first one that asked. What the threads of another process have put into
/// a list is not this process's own: their stacks may be anything here.
pub(crate) fn forks() -> u64 {
    watch();
    // Relaxed: written before the child runs anything else.
    FORKS.load(Ordering::Relaxed)
}

/// Has this file called at every fork from here on.
fn watch() {
    static WATCHES: AtomicBool = AtomicBool::new(false);
    if WATCHES.load(Ordering::Relaxed) || WATCHES.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: the handlers are functions without captures. Without memory for them, a forked child would wait for its
    // parent's sections if it unplugs: it hangs, and frees nothing.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::pthread_atfork(Some(before), Some(after), Some(in_child))
    };
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
extern "C" fn before() {
    let of_kind = |outer: bool| registered().filter(move |static_| static_.is_outer == outer);
    let locks = of_kind(true).chain(of_kind(false)).map(|static_| (static_.hold)()).collect();
    // In the last moments of a thread there is nowhere to keep them.
    let _ = HELD.try_with(|held| held.replace(locks));
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
extern "C" fn after() {
    let _ = HELD.try_with(RefCell::take);
}

#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
extern "C" fn in_child() {
    FORKS.fetch_add(1, Ordering::Relaxed);
    after();
    registered().for_each(|static_| (static_.in_child)());
}
