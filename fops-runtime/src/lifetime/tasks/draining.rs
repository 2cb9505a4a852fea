//! The remover's role, held by a task: the drain blocks no thread.
extern crate std;

use super::timer::Timer;
use crate::gate::wakers::Task;
use crate::lifetime::cause::{Cause, UnplugError};
use crate::lifetime::escapes;
use crate::lifetime::parts::{Parts, Sealed};
use crate::lifetime::report::Report;
use crate::lifetime::role::lock_roles;
use crate::lifetime::state::{Holder, Remover, Role};
use crate::lifetime::steps;
use crate::lifetime::unplug::{Unplug, longer};
use crate::platform;
use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

/// The task, polled by this thread.
fn this_task() -> Holder {
    Holder { thread: platform::thread_id(), is_task: true }
}

/// Unplug for tasks: as [`Unplug`], but no thread waits.
///
/// Implemented for all that implements [`Unplug`].
pub trait UnplugAsync: Unplug + Sync {
    /// As [`Unplug::begin_unplug`], for tasks: while another unplug has a role, the task waits, not its
    /// thread.
    ///
    /// Works with any executor. Cancellations and hooks run on the thread that polls.
    ///
    /// # Errors
    /// As [`Unplug::begin_unplug`]. [`UnplugError::Deadlock`] also when another task of this thread holds an
    /// [`Access`](crate::Access) across an `.await`: it cannot be told from this one's own. What a task holds should be an
    /// [`OwnedAccess`](crate::OwnedAccess); one that the unplugging task holds itself is waited for in vain, and named by
    /// the report.
    fn begin_unplug_async(
        &self,
        cause: Cause,
    ) -> impl Future<Output = Result<DrainingAsync<'_, Self>, UnplugError>> + Send {
        DrainingAsync::begin(self, cause)
    }

    /// As [`Unplug::unplug`], for tasks: the drain blocks no thread.
    ///
    /// # Errors
    /// As [`begin_unplug_async`](Self::begin_unplug_async).
    fn unplug_async(&self, cause: Cause) -> impl Future<Output = Result<Self::Resources, UnplugError>> + Send {
        async move { Ok(self.begin_unplug_async(cause).await?.await) }
    }
}

impl<D: Unplug + Sync + ?Sized> UnplugAsync for D {}

/// The remover's role, held by a task: a future of the resources, ready when the last section has ended.
///
/// Polling `&mut draining` beside a timer limits the wait; [`report`](Self::report) then names the stragglers. Dropping
/// it gives the role up: the device stays closed, and the next unplug goes on from here. Unlike
/// [`Draining`](crate::Draining) it may move between threads. A wake hook that asks to be called again is timed by a
/// thread that lives as long as the drain, and called on the thread that polls.
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, UnplugAsync};
/// use fops_runtime::op::op;
/// use std::sync::Arc;
///
/// let lifetime = Arc::new(DeviceLifetime::new("registers"));
/// let section = lifetime.section(op!("read"), async |access| access.len());
/// futures_executor::block_on(async {
///     assert_eq!(section.await, Ok(9));
///     let draining = lifetime.alone().begin_unplug_async(Cause::Unbind).await.unwrap();
///     assert_eq!(draining.await, "registers");
/// });
/// ```
#[must_use = "the resources come back from `.await`"]
pub struct DrainingAsync<'a, D: Unplug + ?Sized> {
    device: &'a D,
    role: Role,
    /// As that of [`Draining`](crate::Draining).
    pause: Option<Duration>,
    /// Says when to call the wake hooks again.
    timer: Option<Timer>,
    task: Task,
    has_roles: bool,
    handed_back: bool,
}

impl<'a, D: Unplug + Sync + ?Sized> DrainingAsync<'a, D> {
    pub(in crate::lifetime) async fn begin(device: &'a D, cause: Cause) -> Result<Self, UnplugError> {
        let mut this = Self {
            device,
            role: Role::new(),
            pause: None,
            timer: None,
            task: Task::new(numbers(&device.parts())),
            has_roles: false,
            handed_back: false,
        };
        this.close(cause)?;
        poll_fn(|cx| this.take_roles(cx)).await?;
        this.stop()?;
        Ok(this)
    }

    /// Sets the flags and wakes who sleeps. The roles come later, where one is taken.
    fn close(&mut self, cause: Cause) -> Result<(), UnplugError> {
        let parts = self.device.parts();
        self.role.flag(&parts, cause, this_task())?;
        let taken = self.role.take(&parts, this_task());
        self.has_roles = matches!(taken, Ok(None));
        self.with_thread(&parts, || steps::tell(&self.role, &parts, &taken))?;
        if !self.has_roles {
            steps::stop_the_free(&self.role, &parts, Holder { thread: platform::thread_id(), is_task: false })?;
        }
        taken.map(drop)
    }

    fn take_roles(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UnplugError>> {
        if self.has_roles {
            return Poll::Ready(Ok(()));
        }
        let parts = self.device.parts();
        // Before the look at the roles: one that is given up in between wakes the task again.
        self.task.wait(cx.waker());
        let taken = self.role.take(&parts, this_task());
        self.role.note(&parts, taken.as_ref().ok().and_then(Option::as_ref));
        match taken {
            Ok(None) => {
                self.has_roles = true;
                Poll::Ready(Ok(()))
            }
            Ok(Some(_)) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    /// The hooks run on this thread.
    fn stop(&mut self) -> Result<(), UnplugError> {
        let parts = self.device.parts();
        self.role.has_asked(&parts);
        let again = self.with_thread(&parts, || {
            // The unplug that set a flag may not have come to its sleepers yet.
            steps::tell(&self.role, &parts, &Ok(None))?;
            steps::stop(&self.role, &parts);
            Ok(steps::wake(&self.role, &parts, true))
        })?;
        self.pause = again.then(|| longer(Duration::ZERO));
        Ok(())
    }
}

impl<'a, D: Unplug + ?Sized> DrainingAsync<'a, D> {
    /// Runs hooks with this thread as the remover, so that an unplug from inside a hook is told.
    fn with_thread<T>(&self, parts: &impl Parts, hooks: impl FnOnce() -> T) -> T {
        self.role.hold_as(parts, Holder { thread: platform::thread_id(), is_task: false });
        let result = hooks();
        self.role.hold_as(parts, this_task());
        result
    }

    /// Who is still inside.
    pub fn report(&self) -> Report<impl Parts<Resources = D::Resources> + use<'a, D>> {
        let device: &'a D = self.device;
        device.report()
    }
}

impl Role {
    /// Says who has the roles: the thread that runs hooks now, where an unplug from inside one is refused; else the task.
    fn hold_as(&self, parts: &impl Parts, holder: Holder) {
        lock_roles().hold_as(self, holder);
        for member in parts.members() {
            let mut cold = member.core().cold().lock();
            if cold.is_held_by(self) {
                cold.remover = Some(Remover { role: self.0, holder });
            }
        }
    }
}

fn numbers(parts: &impl Parts) -> std::vec::Vec<u64> {
    parts.members().map(|member| member.core().gate.number()).collect()
}

impl<D: Unplug + ?Sized> Future for DrainingAsync<'_, D> {
    type Output = D::Resources;

    /// # Panics
    /// When it is polled after it was ready.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Resources> {
        let this = self.get_mut();
        assert!(!this.handed_back, "polled after the resources were handed back");
        // Before the look at the slots: a section that ends in between wakes the task again.
        this.task.wait(cx.waker());
        let parts = this.device.parts();
        this.role.hold_as(&parts, this_task());
        if steps::drain(&parts, Some(Duration::ZERO)) {
            if escapes::still_out(&this.role, &parts).is_some() {
                // No section wakes the task any more.
                let timer = this.timer.get_or_insert_with(|| Timer::new(this.task.devices()));
                if timer.is_over() {
                    let pause = longer(this.pause.unwrap_or_default());
                    this.pause = Some(pause);
                    timer.start(pause);
                }
                return Poll::Pending;
            }
            this.handed_back = true;
            // Pollers are woken under the role of this thread.
            this.role.hold_as(&parts, Holder { thread: platform::thread_id(), is_task: false });
            let resources = parts.hand_back(&this.role);
            this.role.end(&this.device.parts());
            return Poll::Ready(resources);
        }
        // The first call of the wake hooks was made with that of the stop hooks.
        if let Some(pause) = this.pause
            && this.timer.as_ref().is_none_or(Timer::is_over)
        {
            if this.timer.is_some() {
                let again = this.with_thread(&parts, || steps::wake(&this.role, &parts, false));
                this.pause = again.then(|| longer(pause));
            }
            if let Some(pause) = this.pause {
                this.timer.get_or_insert_with(|| Timer::new(this.task.devices())).start(pause);
            }
        }
        Poll::Pending
    }
}

impl<D: Unplug + ?Sized> Drop for DrainingAsync<'_, D> {
    fn drop(&mut self) {
        let give_up = || {
            let parts = self.device.parts();
            self.role.note(&parts, None);
            self.role.has_asked(&parts);
            self.role.end(&parts);
        };
        // A driver's `parts` that panics loses its own role alone.
        let _ = platform::catch(give_up);
    }
}

impl<D: Unplug + ?Sized> fmt::Debug for DrainingAsync<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DrainingAsync").field(&self.report()).finish()
    }
}
