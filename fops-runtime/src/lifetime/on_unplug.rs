//! A callback at unplug, for work that goes on somewhere else.
extern crate std;

use super::device_lifetime::DeviceLifetime;
use super::heap_cancel::{Cancel, Node};
use super::owned::OwnedAccess;
use crate::platform::{self, Lock};
use core::fmt;
use std::sync::Arc;

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
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    /// use fops_runtime::op::op;
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
    /// assert_eq!(lifetime.alone().unplug(Cause::Unbind).unwrap(), "endpoint");
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
