//! Sections of tasks that find the device paused.
extern crate std;

use crate::lifetime::device_lifetime::DeviceLifetime;
use crate::lifetime::owned::OwnedAccess;
use crate::lifetime::unplugged::Unplugged;
use crate::op::Op;
use crate::platform::Lock;
use crate::wait::{self, Poller};
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

/// The task to wake when the device goes on, or is unplugged.
struct Wake(Lock<Option<Waker>>);

impl Poller for Wake {
    fn wake(&self) {
        let waker = self.0.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Opens an owned section without sleeping on the thread that polls it. Made by [`OwnedAccess::enter_later`].
struct EnterLater<R> {
    /// Moved into the access.
    lifetime: Option<Arc<DeviceLifetime<R>>>,
    op: &'static Op,
    /// Made at the first poll that has to wait.
    wake: Option<Arc<Wake>>,
}

impl<R> OwnedAccess<R> {
    /// As [`OwnedAccess::enter`], for tasks: if the device is paused, the future is pending until it goes on.
    pub(crate) fn enter_later(
        lifetime: Arc<DeviceLifetime<R>>,
        op: &'static Op,
    ) -> impl Future<Output = Result<Self, Unplugged>> {
        EnterLater { lifetime: Some(lifetime), op, wake: None }
    }
}

impl<R> Future for EnterLater<R> {
    type Output = Result<OwnedAccess<R>, Unplugged>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let lifetime = self.lifetime.take().expect("polled after it was ready");
        match lifetime.core.gate.enter(self.op, true) {
            Some(slot) => Poll::Ready(Ok(OwnedAccess::opened(lifetime, slot, self.op))),
            None => self.get_mut().wait(lifetime, cx),
        }
    }
}

impl<R> EnterLater<R> {
    #[cold]
    #[inline(never)]
    fn wait(
        &mut self,
        lifetime: Arc<DeviceLifetime<R>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<OwnedAccess<R>, Unplugged>> {
        let core = &lifetime.core;
        loop {
            // None of them sleeps.
            if core.gate.is_closed() || core.gate.is_entered_here() || wait::is_nonblocking() {
                return Poll::Ready(OwnedAccess::enter(lifetime, self.op));
            }
            let wake = self.wake.get_or_insert_with(|| Arc::new(Wake(Lock::new(None))));
            let before = wake.0.lock().replace(cx.waker().clone());
            // A stranger's code: not under the lock.
            drop(before);
            let poller: Arc<dyn Poller> = wake.clone();
            core.resumed().register(&poller);
            // Looked at after that: a pause that ends in between wakes the task.
            if core.is_paused() && !core.gate.is_closed() {
                self.lifetime = Some(lifetime);
                return Poll::Pending;
            }
            if let Some(slot) = core.gate.enter(self.op, true) {
                return Poll::Ready(Ok(OwnedAccess::opened(lifetime, slot, self.op)));
            }
        }
    }
}
