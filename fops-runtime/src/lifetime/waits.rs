//! Sleeping inside a section until a condition holds.
use super::access::Access;
use crate::wait::{self, WaitError, WaitQueue};

impl<R> Access<'_, R> {
    /// Sleeps until `condition` returns a value, which it is asked for first and whenever `queue` is woken.
    ///
    /// No wake-up is lost: whoever changes what the condition looks at and then wakes the queue has the
    /// condition asked again. After `wait_event_interruptible()` in linux/wait.h. Do not hold a lock that the
    /// waker needs; `wait_event_locked` sleeps without the one it is given. While another thread
    /// [pauses](crate::DeviceLifetime::pause_for) the device, the condition is not asked and this does not return.
    ///
    /// # Errors
    /// [`WaitError::Unplugged`] once unplug has begun, of this device or of another one that the thread is inside a
    /// section of, whatever the condition would say;
    /// [`WaitError::Interrupted`] when a signal came for the caller and the condition returned nothing.
    pub fn wait_event<T>(&self, queue: &WaitQueue, mut condition: impl FnMut() -> Option<T>) -> Result<T, WaitError> {
        wait::wait_with(queue, || self.is_unplugged(), &mut (), |()| condition(), |(), sleep| sleep())
    }

    /// As [`wait_event`](Self::wait_event), with a lock held: the condition sees what the lock protects, and
    /// the lock is not held while the section sleeps. It is held again on return.
    ///
    /// As vb2's `wait_prepare` and `wait_finish`. For the guards of parking_lot and of any other `lock_api`
    /// mutex.
    ///
    /// ```
    /// use fops_runtime::{DeviceLifetime, WaitQueue};
    /// use fops_runtime::op::op;
    /// use parking_lot::Mutex;
    ///
    /// let (lifetime, queue, frames) = (DeviceLifetime::new(()), WaitQueue::new(), Mutex::new(vec![]));
    /// std::thread::scope(|s| {
    ///     s.spawn(|| {
    ///         frames.lock().push("frame");
    ///         queue.wake_all();
    ///     });
    ///     let access = lifetime.enter(op!("dqbuf")).unwrap();
    ///     let mut guard = frames.lock();
    ///     assert_eq!(access.wait_event_locked(&queue, &mut guard, |frames| frames.pop()), Ok("frame"));
    ///     assert!(guard.is_empty()); // still held
    /// });
    /// ```
    ///
    /// # Errors
    /// As [`wait_event`](Self::wait_event).
    #[cfg(feature = "lock_api")]
    pub fn wait_event_locked<L: lock_api::RawMutex, D: ?Sized, T>(
        &self,
        queue: &WaitQueue,
        guard: &mut lock_api::MutexGuard<'_, L, D>,
        mut condition: impl FnMut(&mut D) -> Option<T>,
    ) -> Result<T, WaitError> {
        wait::wait_with(
            queue,
            || self.is_unplugged(),
            guard,
            |guard| condition(guard),
            |guard, sleep| lock_api::MutexGuard::unlocked(guard, sleep),
        )
    }
}
