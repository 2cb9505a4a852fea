//! Sections of tasks.
extern crate std;

use crate::lifetime::device_lifetime::DeviceLifetime;
use crate::lifetime::heap_cancel::{Cancel, Node};
use crate::lifetime::owned::OwnedAccess;
use crate::lifetime::state::Core;
use crate::lifetime::unplugged::Unplugged;
use crate::op::Op;
use crate::platform::Lock;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

impl<R> DeviceLifetime<R> {
    /// Resolves when unplug begins; at once if it has begun.
    ///
    /// For a task that waits for several things, beside its own event. It opens no section.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug};
    ///
    /// let lifetime = DeviceLifetime::new(());
    /// std::thread::scope(|s| {
    ///     s.spawn(|| lifetime.alone().unplug(Cause::Unbind).unwrap());
    ///     futures_executor::block_on(lifetime.until_unplugged());
    /// });
    /// assert!(lifetime.is_unplugged());
    /// ```
    pub const fn until_unplugged(&self) -> UntilUnplugged<'_> {
        UntilUnplugged { core: &self.core, node: None }
    }

    /// An operation that is a task: its section opens when the future is first polled, not when it is made, and ends
    /// when `body` has dropped the access, at the latest with the future.
    ///
    /// `body` is cooperative: unplug waits for it, and it is told by [`OwnedAccess::until_unplugged`] or
    /// [`OwnedAccess::is_unplugged`]. One that may be stopped at any `.await` opts in with
    /// [`Section::cancel_on_unplug`].
    ///
    /// While the device is [paused](Self::pause_for), the future is pending.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, Unplug, Unplugged};
    /// use fops_runtime::op::op;
    /// use std::sync::Arc;
    ///
    /// let lifetime = Arc::new(DeviceLifetime::new(7));
    /// let read = lifetime.section(op!("read"), async |access| *access);
    /// let late = lifetime.section(op!("read"), async |access| *access);
    /// let endless = lifetime.section(op!("poll"), async |_access| std::future::pending::<()>().await);
    /// assert_eq!(futures_executor::block_on(read), Ok(7));
    /// // None of the others has been polled: none is waited for.
    /// assert_eq!(lifetime.alone().unplug(Cause::Unbind).unwrap(), 7);
    /// assert_eq!(futures_executor::block_on(late), Err(Unplugged));
    /// assert_eq!(futures_executor::block_on(endless.cancel_on_unplug()), Err(Unplugged));
    /// ```
    ///
    /// # Errors
    /// The future's output is [`Unplugged`](struct@Unplugged) when unplug has begun by its first poll.
    pub fn section<B, F>(
        self: &Arc<Self>,
        op: &'static Op,
        body: B,
    ) -> Section<R, impl Future<Output = Result<F::Output, Unplugged>> + use<R, B, F>>
    where
        B: FnOnce(OwnedAccess<R>) -> F,
        F: Future,
    {
        let lifetime = self.clone();
        let future = async move {
            let access = OwnedAccess::enter_later(lifetime, op).await?;
            Ok(body(access).await)
        };
        Section { lifetime: self.clone(), future }
    }
}

impl<R> OwnedAccess<R> {
    /// As [`DeviceLifetime::until_unplugged`]: when the section is waited for.
    pub fn until_unplugged(&self) -> UntilUnplugged<'_> {
        self.lifetime().until_unplugged()
    }
}

/// A future that opens its section at its first poll, made by [`DeviceLifetime::section`].
#[must_use = "futures do nothing unless polled"]
pub struct Section<R, F> {
    lifetime: Arc<DeviceLifetime<R>>,
    future: F,
}

impl<R, F, T> Section<R, F>
where
    F: Future<Output = Result<T, Unplugged>>,
{
    /// Drops the body, at whatever `.await` it stands, when unplug begins, and answers [`Unplugged`](struct@Unplugged).
    ///
    /// For bodies that lose nothing by that. One that is ready at that moment keeps its result. The access that the body
    /// holds is dropped with it; what was moved elsewhere stays. The drop happens when the executor polls the task next:
    /// the unplug waits for that.
    ///
    /// # Errors
    /// The future's output is [`Unplugged`](struct@Unplugged) when unplug began before the body was ready.
    pub async fn cancel_on_unplug(self) -> Result<T, Unplugged> {
        let Self { lifetime, future } = self;
        let mut future = pin!(future);
        let mut unplugged = pin!(lifetime.until_unplugged());
        poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Pending => unplugged.as_mut().poll(cx).map(|()| Err(Unplugged)),
            ready => ready,
        })
        .await
    }
}

impl<R, F: Future> Future for Section<R, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with the whole: it is never moved out of a pinned one, `Section` has no drop code,
        // and is `Unpin` only where `future` is.
        unsafe { self.map_unchecked_mut(|this| &mut this.future) }.poll(cx)
    }
}

impl<R, F> fmt::Debug for Section<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("device", &self.lifetime.id()).finish_non_exhaustive()
    }
}

/// Ready when unplug begins, made by [`DeviceLifetime::until_unplugged`].
#[must_use = "futures do nothing unless polled"]
pub struct UntilUnplugged<'a> {
    core: &'a Core,
    /// Made at the first poll that has to wait.
    node: Option<Arc<Node<Wake>>>,
}

/// The task to wake.
struct Wake(Lock<Option<Waker>>);

impl Cancel for Wake {
    fn cancel(&self) {
        let waker = self.0.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for UntilUnplugged<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.core.gate.is_closed() {
            return Poll::Ready(());
        }
        let waker = Some(cx.waker().clone());
        match &this.node {
            Some(node) => {
                let before = core::mem::replace(&mut *node.work.0.lock(), waker);
                // A stranger's code: not under the lock.
                drop(before);
            }
            None => {
                let node = Node::new(Wake(Lock::new(waker)));
                this.core.attach(&node);
                this.node = Some(node);
            }
        }
        // Unplug sets the flag before it takes the waker: if it came too early for this one, the flag is seen.
        if this.core.gate.is_closed() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for UntilUnplugged<'_> {
    fn drop(&mut self) {
        if let Some(node) = &self.node {
            self.core.detach(node);
        }
    }
}

impl fmt::Debug for UntilUnplugged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UntilUnplugged").field("device", &self.core.gate.number()).finish_non_exhaustive()
    }
}
