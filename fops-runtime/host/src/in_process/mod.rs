//! The in-process host: the same file semantics without a kernel.
mod areas;
mod descriptor;

pub use descriptor::{Descriptor, Mapping};
