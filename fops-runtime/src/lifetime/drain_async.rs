//! Unplug for tasks: the drain blocks no thread.
extern crate std;

use super::unplug::{Draining, Unplug};
use super::{Cause, DeviceLifetime, Report, UnplugError};
use crate::wait::{Task, wake_tasks};
use crate::{gate, platform};
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, Ordering};
use core::task::{Context, Poll};
use core::time::Duration;
use std::sync::Arc;

/// What is told from a thread's number: thread numbers, and all others that are given out, are less than this.
const TOKEN: u64 = 1 << 63;

impl<R> DeviceLifetime<R> {
    /// As [`begin_unplug`](Self::begin_unplug), for tasks: while somebody else unplugs the device, the task waits, not
    /// its thread.
    ///
    /// Works with any executor. Cancellations run on the thread that polls.
    ///
    /// ```
    /// use fops_runtime::{Cause, DeviceLifetime, op};
    /// use std::sync::Arc;
    ///
    /// let lifetime = Arc::new(DeviceLifetime::new("registers"));
    /// let section = lifetime.section(op!("read"), async |access| access.len());
    /// futures_executor::block_on(async {
    ///     assert_eq!(section.await, Ok(9));
    ///     let draining = lifetime.begin_unplug_async(Cause::Unbind).await.unwrap();
    ///     assert_eq!(draining.await, "registers");
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`begin_unplug`](Self::begin_unplug). [`UnplugError::Deadlock`] also when another task of this thread holds an
    /// [`Access`](crate::Access) across an `.await`: it cannot be told from this one's own. What a task holds should be an
    /// [`OwnedAccess`](crate::OwnedAccess); one that the unplugging task holds itself is waited for in vain, and named by
    /// the report.
    pub async fn begin_unplug_async(&self, cause: Cause) -> Result<DrainingAsync<'_, R>, UnplugError> {
        DrainingAsync::begin(self, None, cause).await
    }

    /// Unplugs a device without hooks, and returns its resources once nobody uses them any more.
    ///
    /// # Errors
    /// As [`begin_unplug_async`](Self::begin_unplug_async).
    pub async fn unplug_async(&self, cause: Cause) -> Result<R, UnplugError> {
        Ok(self.begin_unplug_async(cause).await?.await)
    }
}

/// The remover's role, held by a task: a future of the resources, ready when the last section has ended.
///
/// Polling `&mut draining` beside a timer limits the wait; [`report`](Self::report) then names the stragglers. Dropping
/// it gives the role up: the device stays closed, and the next unplug goes on from here. Unlike [`Draining`] it may move
/// between threads. A wake hook that asks to be called again is timed by a short-lived thread of its own, and called on
/// the thread that polls.
#[must_use = "the resources come back from `.await`"]
pub struct DrainingAsync<'a, R> {
    lifetime: &'a DeviceLifetime<R>,
    hooks: Option<&'a (dyn Unplug<Resources = R> + Sync)>,
    /// As that of [`Draining`].
    pause: Option<Duration>,
    /// When to call the wake hook again.
    alarm: Option<Arc<AtomicBool>>,
    /// What the role is held under between polls; `None` when it is no longer held.
    token: Option<u64>,
    task: Task,
}

impl<'a, R> DrainingAsync<'a, R> {
    pub(super) async fn begin(
        lifetime: &'a DeviceLifetime<R>,
        hooks: Option<&'a (dyn Unplug<Resources = R> + Sync)>,
        cause: Cause,
    ) -> Result<Self, UnplugError> {
        let task = Task::new(lifetime.id());
        let take_role = |cx: &mut Context<'_>| {
            task.wait(cx.waker());
            match lifetime.core.try_take_role(cause) {
                Ok(None) => Poll::Ready(Ok(())),
                Ok(Some(_)) => Poll::Pending,
                Err(error) => Poll::Ready(Err(error)),
            }
        };
        poll_fn(take_role).await?;
        // From here on nothing is awaited: the role is this thread's, as in an unplug that blocks.
        let mut draining = Draining::with_role(lifetime, hooks.map(|hooks| hooks as _), Some(Duration::ZERO));
        draining.confirm(gate::heavy_fence())?;
        draining.cancel();
        draining.stop();
        let mut this = Self { lifetime, hooks, pause: None, alarm: None, token: None, task };
        this.suspend(draining);
        Ok(this)
    }

    /// The role goes from the task to this thread, so that an unplug from inside a hook is told.
    fn resume(&mut self) -> Draining<'a, R> {
        assert!(self.token.take().is_some(), "polled after the resources were handed back");
        self.lifetime.core.cold().lock().remover = Some(platform::thread_id());
        Draining::with_role(self.lifetime, self.hooks.map(|hooks| hooks as _), self.pause)
    }

    /// And back: the task may be polled by another thread next.
    fn suspend(&mut self, draining: Draining<'a, R>) {
        let token = TOKEN | platform::next_number();
        self.pause = draining.pause();
        self.token = Some(token);
        self.lifetime.core.cold().lock().remover = Some(token);
        // The role is not given up.
        core::mem::forget(draining);
    }

    /// Has the task polled after the pause that the wake hook asks for.
    fn set_alarm(&mut self) {
        let Some(pause) = self.pause else { return };
        let (rung, device) = (Arc::new(AtomicBool::new(false)), self.lifetime.id());
        let ring = rung.clone();
        let timer = move || {
            std::thread::sleep(pause);
            ring.store(true, Ordering::Release);
            wake_tasks(device);
        };
        if std::thread::Builder::new().name("unplug timer".into()).spawn(timer).is_err() {
            // Without a thread for it, the hook is called whenever a section ends.
            rung.store(true, Ordering::Release);
        }
        self.alarm = Some(rung);
    }

    /// Who is still inside.
    pub fn report(&self) -> Report<'_> {
        self.lifetime.report()
    }
}

impl<R> Future for DrainingAsync<'_, R> {
    type Output = R;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<R> {
        let this = self.get_mut();
        // Before the look at the slots: a section that ends in between wakes the task again.
        this.task.wait(cx.waker());
        let mut draining = this.resume();
        if draining.drain(Duration::ZERO) {
            return Poll::Ready(draining.hand_back());
        }
        let due = this.alarm.as_ref().is_none_or(|rung| rung.load(Ordering::Acquire));
        // The first call was the stop hook's.
        if due && this.alarm.is_some() {
            draining.wake();
        }
        this.suspend(draining);
        if due {
            this.set_alarm();
        }
        Poll::Pending
    }
}

impl<R> Drop for DrainingAsync<'_, R> {
    fn drop(&mut self) {
        if self.token.is_some() {
            // Gives the role up, and tells those who wait for it.
            drop(self.resume());
        }
    }
}

impl<R> fmt::Debug for DrainingAsync<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DrainingAsync").field(&self.report()).finish()
    }
}
