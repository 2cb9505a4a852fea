//! What the core asks of its surroundings: sleeping on a word, a lock, a clock, the current thread.
//!
//! One of the files beside this one is compiled in; all have the same functions.
#[cfg(not(feature = "std"))]
mod bare;
#[cfg(feature = "std")]
mod std;

#[cfg(not(feature = "std"))]
pub(crate) use bare::*;
#[cfg(feature = "std")]
pub(crate) use std::*;
