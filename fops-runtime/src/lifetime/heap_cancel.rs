//! Cancellations on the heap: of work that has no stack of its own.
extern crate std;

use super::cancel::Cancellation;
use super::state::Core;
use std::sync::Arc;

/// What unplug does to work that is attached to the device.
pub(super) trait Cancel: Send + Sync {
    /// Called at most once by unplug, on the remover's thread, without locks.
    fn cancel(&self);
}

/// A cancellation on the heap. The device's list has a share in it for as long as it stands there.
///
/// # Invariants
/// The data of `cancellation` comes from `Arc::into_raw` of this node.
pub(super) struct Node<T: ?Sized> {
    cancellation: Cancellation<'static>,
    pub(super) work: T,
}

// SAFETY: `cancellation` is touched under the lock of the `Core` that the node is attached to, except by the thread
// that makes it; `work` is itself fit for that.
unsafe impl<T: ?Sized + Send + Sync> Send for Node<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send + Sync> Sync for Node<T> {}

impl<T: Cancel + 'static> Node<T> {
    pub(super) fn new(work: T) -> Arc<Self> {
        /// # Safety
        /// `data` comes from `Arc::into_raw` of a node that is still shared.
        unsafe fn call<T: Cancel>(data: *const ()) {
            // SAFETY: see above.
            let node = unsafe { &*data.cast::<Node<T>>() };
            node.work.cancel();
        }
        /// # Safety
        /// `data` comes from `Arc::into_raw` of a node, and this share has not been given back.
        unsafe fn release<T>(data: *const ()) {
            // SAFETY: see above.
            drop(unsafe { Arc::from_raw(data.cast::<Node<T>>()) });
        }
        // SAFETY: the data is set below, to what both ask for, and `T: Send + Sync`, so any thread may call them.
        let cancellation = unsafe { Cancellation::on_heap(call::<T>, release::<T>) };
        let node = Arc::new(Self { cancellation, work });
        // INVARIANT: as `into_raw` has it; the node lives on in `node`.
        node.cancellation.set_data(Arc::as_ptr(&node).cast());
        node
    }
}

impl Core {
    /// Has `node` cancelled when unplug begins; at once, on this thread, if it has begun.
    pub(super) fn attach<T: Cancel + 'static>(&self, node: &Arc<Node<T>>) {
        // The list's share, before the list has the node.
        let share = Arc::into_raw(node.clone());
        if !self.list(&node.cancellation) {
            // SAFETY: from `into_raw`, and not listed: the share is still this function's.
            drop(unsafe { Arc::from_raw(share) });
            node.work.cancel();
        }
    }

    /// Takes `node` back, unless unplug has it; then its cancellation has run, or is running.
    pub(super) fn detach<T: ?Sized>(&self, node: &Arc<Node<T>>) {
        if self.unlist(&node.cancellation) {
            // SAFETY: the list had a share, and is done with it. The node lives on in `node`.
            unsafe { Arc::decrement_strong_count(Arc::as_ptr(node)) };
        }
    }
}
