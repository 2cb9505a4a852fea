//! Log lines, written by a thread of their own.
//!
//! A log line may have to wait: its reader sleeps, its disk is full, its subscriber takes a lock or panics. Nothing on the
//! way of an unplug and nothing in a section may wait for that. So a line is queued, and if the queue is full, dropped
//! and counted.
extern crate std;

use super::catch;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;
use std::boxed::Box;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, ThreadId};
use std::time::Instant;

/// How many lines may wait.
const LINES: usize = 1024;

pub(crate) type Line = Box<dyn FnOnce() + Send>;

struct Queue {
    lines: VecDeque<Line>,
    dropped: u64,
    /// Whether the writer is at a line now.
    busy: bool,
    /// The writer, and the process that it runs in: a forked child has none.
    writer: Option<(u32, ThreadId)>,
}

static QUEUE: Mutex<Queue> = Mutex::new(Queue { lines: VecDeque::new(), dropped: 0, busy: false, writer: None });
/// Notified when a line is queued, and when the writer has none left.
static CHANGED: Condvar = Condvar::new();

/// Has `line` written later. Neither sleeps nor panics.
pub(crate) fn log_later(line: Line) {
    let Some(mut queue) = lock() else { return };
    if queue.lines.len() >= LINES {
        queue.dropped += 1;
        drop(queue);
        // Its destructor is the caller's own, and runs without the lock.
        drop(line);
        return;
    }
    queue.lines.push_back(line);
    let start = queue.writer.is_none_or(|(process, _)| process != std::process::id());
    if start {
        // If there can be no thread now, the next line tries again.
        let writer = thread::Builder::new().name("fops log".into()).stack_size(1 << 18).spawn(write_lines);
        queue.writer = writer.ok().map(|writer| (std::process::id(), writer.thread().id()));
        queue.busy = false;
    }
    drop(queue);
    CHANGED.notify_all();
}

/// Waits until all lines are written, for at most `limit`. Returns whether they are.
pub(crate) fn flush_log(limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    let Some(mut queue) = lock() else { return false };
    loop {
        let mine = queue
            .writer
            .is_some_and(|(process, writer)| process == std::process::id() && writer != thread::current().id());
        if queue.lines.is_empty() && !queue.busy {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if !mine || left.is_zero() {
            return false;
        }
        queue = CHANGED.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
    }
}

/// The lock is held for moments only. A child forked in one of them finds it taken for ever, and goes without a log.
fn lock() -> Option<MutexGuard<'static, Queue>> {
    /// The process whose threads may hold the lock; 0 before there is one.
    static PROCESS: AtomicU32 = AtomicU32::new(0);
    let me = std::process::id();
    let first = PROCESS.compare_exchange(0, me, Relaxed, Relaxed);
    if first.is_ok() || first == Err(me) {
        return Some(QUEUE.lock().unwrap_or_else(PoisonError::into_inner));
    }
    for _ in 0..1000 {
        let queue = match QUEUE.try_lock() {
            Ok(queue) => queue,
            Err(TryLockError::Poisoned(queue)) => queue.into_inner(),
            Err(TryLockError::WouldBlock) => {
                thread::yield_now();
                continue;
            }
        };
        // It was free, so from here on only this process's threads hold it.
        PROCESS.store(me, Relaxed);
        return Some(queue);
    }
    None
}

fn write_lines() {
    loop {
        let (line, dropped) = {
            let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
            queue.busy = false;
            loop {
                if let Some(line) = queue.lines.pop_front() {
                    queue.busy = true;
                    break (line, core::mem::take(&mut queue.dropped));
                }
                CHANGED.notify_all();
                queue = CHANGED.wait(queue).unwrap_or_else(PoisonError::into_inner);
            }
        };
        // A subscriber that panics loses this line.
        let _ = catch(line);
        if dropped > 0 {
            let _ = catch(|| {
                write_error(&std::format!("{dropped} log lines were dropped: the log was not written in time"))
            });
        }
    }
}

/// Has `line` told to the listener that this thread has, later: a listener may wait or panic.
#[cfg(feature = "tracing")]
pub(crate) fn trace_later(line: impl FnOnce() + Send + 'static) {
    // A listener's own code may panic when it is found.
    let Some(dispatch) = catch(|| tracing::dispatcher::get_default(Clone::clone)) else { return };
    log_later(Box::new(move || tracing::dispatcher::with_default(&dispatch, line)));
}

/// Tells the people who run this of something that went wrong.
pub(crate) fn log_error(message: core::fmt::Arguments<'_>) {
    let message = catch(|| std::format!("{message}"));
    if let Some(message) = message {
        #[cfg(feature = "tracing")]
        trace_later(move || write_error(&message));
        #[cfg(not(feature = "tracing"))]
        log_later(Box::new(move || write_error(&message)));
    }
}

fn write_error(message: &str) {
    #[cfg(feature = "tracing")]
    tracing::error!("{message}");
    // `eprintln!` would panic if nobody reads.
    #[cfg(not(feature = "tracing"))]
    let _ = std::io::Write::write_all(&mut std::io::stderr(), std::format!("fops: {message}\n").as_bytes());
}
