//! Sleeps that the runtime cannot see, and how unplug ends them.
//!
//! A section that is about to sleep leaves a cancellation, a node on its own stack in the device's list. Work that
//! outlives its function leaves one on the heap, of which the list holds a share.
//! Unplug takes them out one by one and calls each outside the list's lock: a callback that is slow, or waits for a
//! lock, does not keep other sections from registering theirs. A section whose callback is running waits for it
//! before it leaves.
use super::{Core, Phase, Work};
use crate::platform;
use core::cell::Cell;
use core::marker::PhantomData;
use core::ptr;

/// A callback, on the stack of the section that sleeps, or on the heap.
///
/// # Invariants
/// All but `call` and `data` is touched under the lock of the `Core` it is registered with. While the state is
/// `Listed` it stands in that list, and its neighbours' links are valid.
pub(super) struct Cancellation<'a> {
    /// SAFETY contract: called with `data` only.
    call: unsafe fn(*const ()),
    data: Cell<*const ()>,
    /// Gives the list's share in the node back, where the list has one. SAFETY contract: called with `data` only, once
    /// for each time the node was listed, after it was taken out.
    release: Option<unsafe fn(*const ())>,
    state: Cell<State>,
    next: Cell<*const Cancellation<'static>>,
    previous: Cell<*const Cancellation<'static>>,
    _callback: PhantomData<&'a ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    Listed,
    /// Unplug has taken it out and is calling it.
    Running,
    /// It has been called.
    Done,
}

impl<'a> Cancellation<'a> {
    pub(super) fn new<F: Fn() + Sync>(callback: &'a F) -> Self {
        /// # Safety
        /// `data` comes from an `&F` that is still borrowed. `F: Sync`, so any thread may call it.
        unsafe fn call<F: Fn()>(data: *const ()) {
            // SAFETY: see above.
            let callback = unsafe { &*data.cast::<F>() };
            callback();
        }
        Self {
            call: call::<F>,
            data: Cell::new(ptr::from_ref(callback).cast()),
            release: None,
            state: Cell::new(State::Idle),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            _callback: PhantomData,
        }
    }

    /// A node on the heap. It must be given its data before it is registered.
    ///
    /// # Safety
    /// `call` and `release` may be called as the fields say, on any thread, with what [`set_data`](Self::set_data) is
    /// given.
    #[cfg(feature = "std")]
    pub(super) unsafe fn on_heap(call: unsafe fn(*const ()), release: unsafe fn(*const ())) -> Self {
        Self {
            call,
            data: Cell::new(ptr::null()),
            release: Some(release),
            state: Cell::new(State::Idle),
            next: Cell::new(ptr::null()),
            previous: Cell::new(ptr::null()),
            _callback: PhantomData,
        }
    }

    /// For a node that nobody else knows yet.
    #[cfg(feature = "std")]
    pub(super) fn set_data(&self, data: *const ()) {
        self.data.set(data);
    }

    fn erased(&self) -> *const Cancellation<'static> {
        ptr::from_ref(self).cast()
    }

    fn run(&self) {
        // SAFETY: `data` is what `new` put beside `call`, and `'a` has not ended: `self` exists.
        let ran = platform::catch(|| unsafe { (self.call)(self.data.get()) });
        if ran.is_none() {
            platform::log_error(format_args!("a cancellation panicked; unplug goes on"));
        }
    }
}

/// The head of a device's list.
pub(super) struct Cancellations(*const Cancellation<'static>);

// SAFETY: the nodes are reached under the lock of the `Core` alone, and their callbacks are `Sync`.
unsafe impl Send for Cancellations {}

impl Cancellations {
    pub(super) const fn new() -> Self {
        Self(ptr::null())
    }

    fn push(&mut self, node: &Cancellation<'_>) {
        node.state.set(State::Listed);
        node.previous.set(ptr::null());
        node.next.set(self.0);
        // SAFETY: null, or a listed node, which is valid by the invariant.
        if let Some(next) = unsafe { self.0.as_ref() } {
            next.previous.set(node.erased());
        }
        self.0 = node.erased();
    }

    fn unlink(&mut self, node: &Cancellation<'_>) {
        let (previous, next) = (node.previous.get(), node.next.get());
        // SAFETY: the neighbours of a listed node are null or listed, so valid.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.0 = next,
        }
        // SAFETY: as above.
        if let Some(next) = unsafe { next.as_ref() } {
            next.previous.set(previous);
        }
    }
}

/// Takes the cancellation back when dropped.
pub(super) struct Registered<'c> {
    core: &'c Core,
    cancellation: &'c Cancellation<'c>,
}

impl Core {
    /// Has `cancellation` called when unplug begins; at once if it has begun.
    pub(super) fn register<'c>(&'c self, cancellation: &'c Cancellation<'c>) -> Registered<'c> {
        if !self.list(cancellation) {
            cancellation.run();
        }
        Registered { core: self, cancellation }
    }

    /// Puts the node into the list, unless unplug has begun.
    pub(super) fn list(&self, cancellation: &Cancellation<'_>) -> bool {
        let mut cold = self.cold().lock();
        let plugged = cold.phase == Phase::Plugged;
        if plugged {
            cold.cancellations.push(cancellation);
        }
        plugged
    }

    /// Takes the node out of the list, unless unplug was faster. Does not wait for a callback that is running.
    #[cfg(feature = "std")]
    pub(super) fn unlist(&self, cancellation: &Cancellation<'_>) -> bool {
        let mut cold = self.cold().lock();
        let listed = cancellation.state.get() == State::Listed;
        if listed {
            cold.cancellations.unlink(cancellation);
            cancellation.state.set(State::Idle);
        }
        listed
    }

    /// Calls every cancellation once. None can be registered behind it: the phase has changed.
    pub(super) fn cancel_all(&self) {
        loop {
            let mut cold = self.cold().lock();
            debug_assert!(cold.phase != Phase::Plugged);
            // SAFETY: null, or a listed node, which is valid by the invariant.
            let Some(node) = (unsafe { cold.cancellations.0.as_ref() }) else {
                cold.hook = None;
                return;
            };
            cold.cancellations.unlink(node);
            node.state.set(State::Running);
            cold.hook = Some(Work::Cancellation);
            drop(cold);
            // The node stays: its section waits in `Registered::drop` while it is `Running`.
            node.run();
            let cold = self.cold().lock();
            let share = node.release.map(|release| (release, node.data.get()));
            node.state.set(State::Done);
            drop(cold);
            // The node may be gone from here on, unless the list has a share in it.
            self.gate.signal();
            if let Some((release, data)) = share {
                // What the driver left in it may panic when it is dropped.
                // SAFETY: the node was listed, and has been taken out.
                let released = platform::catch(|| unsafe { release(data) });
                if released.is_none() {
                    platform::log_error(format_args!("a cancellation panicked when it was dropped; unplug goes on"));
                }
            }
        }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        loop {
            let mut cold = self.core.cold().lock();
            match self.cancellation.state.get() {
                State::Idle | State::Done => return,
                State::Listed => {
                    cold.cancellations.unlink(self.cancellation);
                    self.cancellation.state.set(State::Idle);
                    return;
                }
                State::Running => {
                    let seen = self.core.gate.event();
                    drop(cold);
                    self.core.gate.wait_event(seen, None);
                }
            }
        }
    }
}
