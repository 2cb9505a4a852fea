//! Atomics and statics. In a model, `loom/primitive.rs` replaces this file.
pub(crate) use core::sync::atomic;

/// A static that all threads share.
macro_rules! shared_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        $(#[$meta])*
        static $name: $type = $value;
    };
}

/// An array of equal values.
#[cfg(not(feature = "kernel"))]
macro_rules! repeat {
    ($value:expr; $count:expr) => {
        [const { $value }; $count]
    };
}

#[cfg(not(feature = "kernel"))]
pub(crate) use repeat;
pub(crate) use shared_static;
