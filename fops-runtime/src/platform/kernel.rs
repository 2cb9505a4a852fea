//! The Linux kernel: a lock of one word, sleeping on a word, the clock, the current task, its log. Over the C shim, since
//! most of these are macros or inline functions in C.
pub(crate) use super::inline::Lazy;

use core::cell::UnsafeCell;
use core::ffi::{c_char, c_int, c_long};
use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::sync::atomic::AtomicU32;
use core::time::Duration;

unsafe extern "C" {
    fn fops_k_wait(word: *const AtomicU32, expected: u32, ms: c_long);
    fn fops_k_wait_interruptible(word: *const AtomicU32, expected: u32) -> c_int;
    fn fops_k_wake(word: *const AtomicU32);
    safe fn fops_k_thread() -> u64;
    safe fn fops_k_now() -> u64;
    fn fops_k_lock(word: *mut usize);
    fn fops_k_unlock(word: *mut usize);
    /// Writes the name of a task and a 0. Nothing but the 0 if there is no such task.
    fn fops_k_task_name(thread: u64, name: *mut c_char, len: usize);
}

/// Nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy)]
pub(crate) struct Instant(u64);

pub(crate) fn now() -> Option<Instant> {
    Some(Instant(fops_k_now()))
}

pub(crate) fn elapsed(since: Instant) -> Duration {
    Duration::from_nanos(fops_k_now().saturating_sub(since.0))
}

/// `bit_spin_lock()`: one word, which needs no initialisation and may be moved. Not for interrupts.
#[derive(Default)]
pub(crate) struct Lock<T> {
    word: UnsafeCell<usize>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached through the guard alone, which the bit gives to one task at a time.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: moving it moves the value, and a lock that moves is not held.
unsafe impl<T: Send> Send for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self { word: UnsafeCell::new(0), value: UnsafeCell::new(value) }
    }

    pub(crate) fn lock(&self) -> LockGuard<'_, T> {
        // SAFETY: this word is for the lock alone.
        unsafe { fops_k_lock(self.word.get()) };
        LockGuard(self, PhantomData)
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.value.get_mut()
    }
}

/// Not `Sync` by itself: `&T` may be less than `T: Send` allows. Not `Send`: preemption is off.
pub(crate) struct LockGuard<'a, T>(&'a Lock<T>, PhantomData<*mut T>);

impl<T> Deref for LockGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: this guard is the only one.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for LockGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: this guard is the only one.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for LockGuard<'_, T> {
    fn drop(&mut self) {
        // SAFETY: the guard is dropped once, and holds the lock.
        unsafe { fops_k_unlock(self.0.word.get()) };
    }
}

/// Sleeps while `word` is `expected`, for at most `timeout`. Signals do not end it.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let ms = |timeout: Duration| c_long::try_from(timeout.as_millis()).unwrap_or(c_long::MAX - 1) + 1;
    // SAFETY: the word is borrowed for the call.
    unsafe { fops_k_wait(word, expected, timeout.map_or(-1, ms)) }
}

/// Sleeps while `word` is `expected`. Returns whether a signal ended it.
pub(crate) fn wait_interruptible(word: &AtomicU32, expected: u32) -> bool {
    // SAFETY: the word is borrowed for the call.
    unsafe { fops_k_wait_interruptible(word, expected) != 0 }
}

/// Wakes all tasks that sleep on `word`.
pub(crate) fn wake_all(word: &AtomicU32) {
    // SAFETY: the word is borrowed for the call.
    unsafe { fops_k_wake(word) }
}

/// Runs `f`. A panic in it is the end of the machine: `BUG()`.
pub(crate) fn catch<T>(f: impl FnOnce() -> T) -> Option<T> {
    Some(f())
}

/// What `pr_err!` and its like put in front of each line.
pub(crate) const LOG_PREFIX: &[u8] = b"fops\0";

pub(crate) fn log_error(message: fmt::Arguments<'_>) {
    ::kernel::pr_err!("{message}\n");
}

/// Nothing forks here.
pub(crate) const fn forks() -> u64 {
    0
}

/// The current task's pid. 0 in an interrupt.
pub(crate) fn thread_id() -> u64 {
    fops_k_thread()
}

/// `77 "v4l2-ctl"`.
pub(crate) fn fmt_thread(id: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut name = [0_u8; 16];
    // SAFETY: the buffer is as long as said.
    unsafe { fops_k_task_name(id, name.as_mut_ptr().cast(), name.len()) };
    let len = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
    match core::str::from_utf8(&name[..len]) {
        Ok("") | Err(_) => write!(f, "{id}"),
        Ok(name) => write!(f, "{id} {name:?}"),
    }
}
