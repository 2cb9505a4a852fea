//! The smallest guarded driver is in `minimal.rs`.
