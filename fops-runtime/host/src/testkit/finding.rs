//! What the kit finds wrong.
use std::fmt;

/// One thing that is wrong with a driver.
///
/// Displays what is wrong and where, then a line `help:` with what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The scenario that showed it first, and what was in flight.
    pub scenario: String,
    /// What is wrong.
    pub problem: String,
    /// What to write instead.
    pub help: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  in: {}\n  help: {}", self.problem, self.scenario, self.help)
    }
}
