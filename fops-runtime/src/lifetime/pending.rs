//! Work that ends after its operation has returned.
extern crate std;

use super::device_lifetime::DeviceLifetime;
use super::heap_cancel::{Cancel, Node};
use super::owned::OwnedAccess;
use super::unplugged::Unplugged;
use crate::platform::{self, Lock};
use core::fmt;
use std::sync::Arc;

/// A pending operation: its method has returned, and it is completed or cancelled later, exactly once.
///
/// A parked reply, a transfer on its way, a descriptor in a queue. It keeps its section open, so unplug waits for it;
/// but first it cancels it. Whoever has the answer calls [`complete`](Self::complete), and either gets the access and the
/// work back, or learns that it was cancelled. A token that is dropped is cancelled too: no caller waits for an
/// answer that nobody will give. Made by [`OwnedAccess::into_pending`].
///
/// The token may be moved to any thread, and be completed in an interrupt or in a callback of a library. Forgetting it
/// ([`core::mem::forget`]) leaves it to unplug to cancel it.
#[must_use = "the work is cancelled as soon as its token is dropped"]
pub struct Pending<R, T> {
    lifetime: Arc<DeviceLifetime<R>>,
    node: Arc<Node<dyn Take<R, T>>>,
}

/// The work, without the type of its cancellation.
trait Take<R, T>: Cancel {
    /// The work, for whoever asks first.
    fn take(&self) -> Option<(OwnedAccess<R>, T)>;
}

/// What is pending, until one of both takes it.
struct Parked<R, T, F>(Lock<Option<(OwnedAccess<R>, T, F)>>);

impl<R, T, F> Parked<R, T, F> {
    fn take_all(&self) -> Option<(OwnedAccess<R>, T, F)> {
        // Not `match self.0.lock().take()`: the driver's code runs without the lock.
        self.0.lock().take()
    }
}

impl<R: Send + Sync, T: Send, F: FnOnce(OwnedAccess<R>, T) + Send> Cancel for Parked<R, T, F> {
    fn cancel(&self) {
        if let Some((access, work, cancel)) = self.take_all() {
            cancel(access, work);
        }
    }
}

impl<R: Send + Sync, T: Send, F: FnOnce(OwnedAccess<R>, T) + Send> Take<R, T> for Parked<R, T, F> {
    fn take(&self) -> Option<(OwnedAccess<R>, T)> {
        self.take_all().map(|(access, work, _)| (access, work))
    }
}

impl<R: Send + Sync + 'static> OwnedAccess<R> {
    /// Leaves `work` to be completed later, and has `cancel` called with it if the device is unplugged before, or the
    /// token is dropped.
    ///
    /// `cancel` answers the one who waits (`ENODEV`), and takes the work out of the hardware's hands where that is to
    /// be done: the driver's stop hook comes after it. It owns the access: the section ends when that is dropped, which
    /// may be later and elsewhere, such as when the hardware confirms. If unplug has begun already it is called at once,
    /// on this thread, before this returns: with no lock held that it takes. Else it is called on the remover's thread,
    /// or on that which drops the token. A panic in it is logged; the access is given back then, and the unplug goes on.
    /// After `usb_submit_urb()` and `usb_kill_urb()` in linux/usb.h.
    ///
    /// Put the token where the completion finds it before the hardware is started, so that none is lost.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Errno, Pending, Unplug, Unplugged};
    /// use fops_runtime::op::op;
    /// use std::sync::{Arc, Mutex, mpsc};
    ///
    /// type Reply = mpsc::Sender<Result<u32, Errno>>;
    ///
    /// /// An operation that answers later.
    /// fn read(lifetime: &Arc<DeviceLifetime<u32>>, reply: Reply) -> Result<Pending<u32, Reply>, Unplugged> {
    ///     let access = lifetime.enter_owned(op!("read"))?;
    ///     Ok(access.into_pending(reply, |_access, reply| reply.send(Err(Errno::ENODEV)).unwrap()))
    /// }
    ///
    /// let lifetime = Arc::new(DeviceLifetime::new(7));
    /// let (reply, answers) = mpsc::channel();
    /// // The interrupt has come:
    /// let (access, answer) = read(&lifetime, reply.clone()).unwrap().complete().unwrap();
    /// answer.send(Ok(*access)).unwrap();
    /// drop(access);
    /// assert_eq!(answers.recv(), Ok(Ok(7)));
    /// // The device has gone:
    /// let pending = read(&lifetime, reply).unwrap();
    /// assert_eq!(lifetime.alone().unplug(Cause::Unbind).unwrap(), 7);
    /// assert_eq!(answers.recv(), Ok(Err(Errno::ENODEV)));
    /// assert_eq!(pending.complete().err(), Some(Unplugged));
    /// ```
    pub fn into_pending<T: Send + 'static>(
        self,
        work: T,
        cancel: impl FnOnce(Self, T) + Send + 'static,
    ) -> Pending<R, T> {
        let lifetime = self.lifetime().clone();
        let node = Node::new(Parked(Lock::new(Some((self, work, cancel)))));
        if platform::catch(|| lifetime.core.attach(&node)).is_none() {
            log_panic();
        }
        Pending { lifetime, node }
    }
}

impl<R, T> Pending<R, T> {
    /// Ends the wait: returns the access, with the section still open, and the work.
    ///
    /// # Errors
    /// [`Unplugged`](struct@Unplugged) when unplug has cancelled it, or is just doing so: there is nothing left to do.
    pub fn complete(self) -> Result<(OwnedAccess<R>, T), Unplugged> {
        // What comes back is no longer in the node when `self` is dropped.
        self.node.work.take().ok_or(Unplugged)
    }

    /// Whether unplug has begun: it has been cancelled, or will be in a moment.
    pub fn is_unplugged(&self) -> bool {
        self.lifetime.is_unplugged()
    }
}

impl<R, T> Drop for Pending<R, T> {
    fn drop(&mut self) {
        self.lifetime.core.detach(&self.node);
        // Does nothing where it was completed or cancelled.
        if platform::catch(|| self.node.work.cancel()).is_none() {
            log_panic();
        }
    }
}

#[cold]
fn log_panic() {
    platform::log_error(format_args!("the cancellation of a pending operation panicked"));
}

impl<R, T> fmt::Debug for Pending<R, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("device", &self.lifetime.id()).finish_non_exhaustive()
    }
}
