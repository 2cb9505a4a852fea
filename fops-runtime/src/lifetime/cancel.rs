//! Sleeps that the runtime cannot see, and how unplug ends them.
//!
//! A section that is about to sleep leaves a cancellation, a node on its own stack in the device's list. Work that
//! outlives its function leaves one on the heap, of which the list holds a share.
//! Unplug takes them out one by one and calls each outside the list's lock: a callback that is slow, or waits for a
//! lock, does not keep other sections from registering theirs. A section whose callback is running waits for it
//! before it leaves.
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
    pub(super) data: Cell<*const ()>,
    /// Gives the list's share in the node back, where the list has one. SAFETY contract: called with `data` only, once
    /// for each time the node was listed, after it was taken out.
    pub(super) release: Option<unsafe fn(*const ())>,
    pub(super) state: Cell<State>,
    /// In which process it was listed.
    forks: Cell<u64>,
    next: Cell<*const Cancellation<'static>>,
    previous: Cell<*const Cancellation<'static>>,
    _callback: PhantomData<&'a ()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
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
            forks: Cell::new(0),
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
            forks: Cell::new(0),
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

    /// Whether this process has it in a list.
    #[cfg(feature = "std")]
    pub(super) fn is_listed(&self) -> bool {
        self.state.get() == State::Listed && self.forks.get() == platform::forks()
    }

    fn erased(&self) -> *const Cancellation<'static> {
        ptr::from_ref(self).cast()
    }

    pub(super) fn run(&self) {
        // SAFETY: `data` is what `new` put beside `call`, and `'a` has not ended: `self` exists.
        let ran = platform::catch(|| unsafe { (self.call)(self.data.get()) });
        if ran.is_none() {
            platform::log_error(format_args!("a cancellation panicked; unplug goes on"));
        }
    }
}

/// A device's list.
///
/// A forked child forgets the nodes of its parent's threads, without a look at them: it does not have those threads, and
/// may use their stacks for others.
pub(super) struct Cancellations {
    first: *const Cancellation<'static>,
    /// In which process its nodes were listed.
    forks: u64,
}

// SAFETY: the nodes are reached under the lock of the `Core` alone, and their callbacks are `Sync`.
unsafe impl Send for Cancellations {}

impl Cancellations {
    pub(super) const fn new() -> Self {
        Self { first: ptr::null(), forks: 0 }
    }

    /// Null, or the first node, which is valid while it is listed.
    pub(super) fn first(&mut self) -> *const Cancellation<'static> {
        let forks = platform::forks();
        if self.forks != forks {
            *self = Self { first: ptr::null(), forks };
        }
        self.first
    }

    pub(super) fn push(&mut self, node: &Cancellation<'_>) {
        let next = self.first();
        node.state.set(State::Listed);
        node.forks.set(self.forks);
        node.previous.set(ptr::null());
        node.next.set(next);
        // SAFETY: null, or a listed node, which is valid by the invariant.
        if let Some(next) = unsafe { next.as_ref() } {
            next.previous.set(node.erased());
        }
        self.first = node.erased();
    }

    pub(super) fn unlink(&mut self, node: &Cancellation<'_>) {
        if node.forks.get() != platform::forks() {
            // Its list stayed with the parent.
            return;
        }
        let (previous, next) = (node.previous.get(), node.next.get());
        // SAFETY: the neighbours of a listed node are null or listed, so valid.
        match unsafe { previous.as_ref() } {
            Some(previous) => previous.next.set(next),
            None => self.first = next,
        }
        // SAFETY: as above.
        if let Some(next) = unsafe { next.as_ref() } {
            next.previous.set(previous);
        }
    }
}
