//! Sleeping on a word, where the system has no futex that we know.
extern crate std;

use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::sync::{Condvar, Mutex, PoisonError};

/// Sleepers, by the address of the word they sleep on: a futex in portable clothes.
struct Bucket {
    lock: Mutex<()>,
    changed: Condvar,
}

static BUCKETS: [Bucket; 64] = [const { Bucket { lock: Mutex::new(()), changed: Condvar::new() } }; 64];

fn bucket(word: *const AtomicU32) -> &'static Bucket {
    // Words lie at least a few bytes apart; the multiplication spreads neighbours.
    let hash = (word.addr() >> 2).wrapping_mul(0x9e37_79b9) >> 16;
    &BUCKETS[hash % BUCKETS.len()]
}

/// Sleeps while `word` is `expected`, for at most `timeout`. May return early.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let bucket = bucket(word);
    let guard = bucket.lock.lock().unwrap_or_else(PoisonError::into_inner);
    // The waker changes the word before it takes the lock. So either the change is seen here, or the
    // waker finds the lock free only once this thread sleeps: no wake-up is lost.
    if word.load(Ordering::SeqCst) != expected {
        return;
    }
    match timeout {
        None => drop(bucket.changed.wait(guard).unwrap_or_else(PoisonError::into_inner)),
        Some(timeout) => drop(bucket.changed.wait_timeout(guard, timeout).unwrap_or_else(PoisonError::into_inner)),
    }
}

/// There are as many buckets as there are.
pub(crate) const fn expect_sleepers(_: usize) {}

/// Wakes all who sleep on the word.
pub(crate) fn wake_all(word: &AtomicU32) {
    let bucket = bucket(word);
    drop(bucket.lock.lock().unwrap_or_else(PoisonError::into_inner));
    bucket.changed.notify_all();
}
