//! Lines with the time and the node before them.
use std::time::Instant;

pub(super) struct Timeline(Instant);

impl Timeline {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn say(&self, node: &str, what: &str) {
        crate::log::say(format_args!("{:>8.3} s  {node:<7} {what}", self.0.elapsed().as_secs_f64()));
    }
}
