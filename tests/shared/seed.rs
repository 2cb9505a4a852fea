//! Chance that can be had again.
use std::cell::Cell;
use std::io::{Write as _, stderr};
use std::thread;
use std::time::{Duration, SystemTime};

/// A source of random numbers. A test that fails says how to have the same ones again: `FOPS_SEED`.
pub struct Seed {
    seed: u64,
    state: Cell<u64>,
}

impl Seed {
    /// From `FOPS_SEED`, or from the clock.
    pub fn new() -> Self {
        let now = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |now| now.as_nanos() as u64);
        let given = std::env::var("FOPS_SEED").ok();
        let seed = given.map_or_else(now, |text| text.parse().expect("FOPS_SEED is a number"));
        Self { seed, state: Cell::new(seed) }
    }

    /// The next number, less than `limit`.
    pub fn below(&self, limit: usize) -> usize {
        // SplitMix64: small, and good for any seed.
        let state = self.state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.state.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit.max(1) as u64) as usize
    }

    /// A time shorter than `limit`.
    pub fn time(&self, limit: Duration) -> Duration {
        Duration::from_micros(self.below(limit.as_micros() as usize) as u64)
    }

    /// The items in some order.
    pub fn shuffled<T>(&self, mut items: Vec<T>) -> Vec<T> {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
        items
    }
}

impl Default for Seed {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = writeln!(stderr(), "the same again: FOPS_SEED={}", self.seed);
        }
    }
}
