//! Cancellations of work that has no stack of its own.
extern crate std;

use super::cancel::Cancellation;
use super::{Core, DeviceLifetime, OwnedAccess};
use crate::platform::{self, Lock};
use core::fmt;
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

/// A callback that unplug makes.
struct Callback<F>(Lock<Option<F>>);

impl<F: FnOnce() + Send> Cancel for Callback<F> {
    fn cancel(&self) {
        let callback = self.0.lock().take();
        if let Some(callback) = callback {
            callback();
        }
    }
}

/// A callback that waits for unplug, made by [`OwnedAccess::on_unplug`]. Dropping it takes the callback back.
///
/// The callback may be running on the remover's thread when the drop returns; the drop does not wait for it, so the
/// callback itself may cause it.
#[must_use = "the callback is taken back as soon as this is dropped"]
pub struct OnUnplug<R> {
    lifetime: Arc<DeviceLifetime<R>>,
    node: Arc<Node<dyn Cancel>>,
}

impl<R> OwnedAccess<R> {
    /// Has `cancel` called once when the device is unplugged: at once, on this thread, if unplug has begun already,
    /// else on the remover's thread, before the driver's stop hook.
    ///
    /// For work that goes on somewhere else and ends of its own accord when it is told to: `cancel` aborts a transfer,
    /// and its completion drops the access. Unlike [`Access::with_cancellation`](crate::Access::with_cancellation) it
    /// needs no stack to wait on. `cancel` must not wait for the work to end, nor for this access. A panic in it is
    /// logged, and the unplug goes on. After `usb_kill_anchored_urbs()` in linux/usb.h.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, op};
    /// use std::sync::{Arc, mpsc};
    ///
    /// let lifetime = Arc::new(DeviceLifetime::new("endpoint"));
    /// let access = lifetime.enter_owned(op!("transfer")).unwrap();
    /// let (abort, aborted) = mpsc::channel();
    /// let on_unplug = access.on_unplug(move || abort.send("aborted").unwrap());
    /// // The hardware's side: the transfer ends when its data has come, or when it is aborted.
    /// let transfer = std::thread::spawn(move || {
    ///     let status = aborted.recv().unwrap();
    ///     drop(on_unplug);
    ///     drop(access);
    ///     status
    /// });
    /// assert_eq!(lifetime.begin_unplug(Cause::Unbind).unwrap().wait(), "endpoint");
    /// assert_eq!(transfer.join().unwrap(), "aborted");
    /// ```
    pub fn on_unplug(&self, cancel: impl FnOnce() + Send + 'static) -> OnUnplug<R> {
        let node = Node::new(Callback(Lock::new(Some(cancel))));
        let lifetime = self.lifetime().clone();
        if platform::catch(|| lifetime.core.attach(&node)).is_none() {
            platform::log_error(format_args!("a cancellation panicked; the section goes on"));
        }
        OnUnplug { lifetime, node }
    }
}

impl<R> Drop for OnUnplug<R> {
    fn drop(&mut self) {
        self.lifetime.core.detach(&self.node);
    }
}

impl<R> fmt::Debug for OnUnplug<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnUnplug").field("device", &self.lifetime.id()).finish_non_exhaustive()
    }
}
