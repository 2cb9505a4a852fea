//! Waiting for a condition, with a deadline that fails loudly. For the tests of all crates.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
use std::thread;
use std::time::{Duration, Instant};

/// Nothing in these tests takes this long unless it hangs.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Waits for `condition`. If it does not come true by the deadline, the test fails.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "{what}: not within {DEADLINE:?}");
        thread::sleep(Duration::from_micros(200));
    }
}
