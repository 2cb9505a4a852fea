//! Sleeping in the kernel's own waits, from which unplug wakes as a signal does.
use crate::lifetime::Access;
use ::kernel::error::{Error, code};
use core::ffi::c_void;

unsafe extern "C" {
    /// The current task. Null in an interrupt.
    safe fn fops_k_task() -> *const c_void;
    /// Ends the interruptible sleep of a task, and each further one until the task returns to user space.
    fn fops_k_interrupt(task: *const c_void);
}

/// A task that is inside a section, and so is not gone.
struct Task(*const c_void);

// SAFETY: only `fops_k_interrupt` uses it, which takes the locks that it needs.
unsafe impl Sync for Task {}

impl Task {
    fn interrupt(&self) {
        // SAFETY: it stays until its section ends, and a section waits for a cancellation that is running.
        unsafe { fops_k_interrupt(self.0) }
    }
}

impl<R> Access<'_, R> {
    /// Runs `blocking`, which may sleep in the kernel's interruptible waits: `wait_event_interruptible()` and the like.
    /// When unplug begins, each of them ends as if a signal had come, without one.
    ///
    /// For code that sleeps in C. What sleeps in Rust does better with [`wait_event`](Self::wait_event). A sleep that is not
    /// interruptible goes on, and so does a loop that begins it again without a look at its result. After
    /// `set_notify_signal()` in linux/sched/signal.h.
    ///
    /// # Errors
    /// Those of `blocking`. If unplug has begun, `ENODEV` stands in place of `EINTR` and of the errors that restart a
    /// system call.
    pub fn interruptible<T>(&self, blocking: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        let task = Task(fops_k_task());
        let interrupted =
            [code::EINTR, code::ERESTARTSYS, code::ERESTARTNOINTR, code::ERESTARTNOHAND, code::ERESTART_RESTARTBLOCK];
        self.with_cancellation(|| task.interrupt(), blocking)
            .map_err(|error| if self.is_unplugged() && interrupted.contains(&error) { code::ENODEV } else { error })
    }
}
