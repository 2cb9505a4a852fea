//! Atomics that loom watches.
pub(crate) use ::loom::sync::atomic;

/// A static that all threads of one run of a model share.
macro_rules! shared_static {
    ($(#[$meta:meta])* static $name:ident: $type:ty = $value:expr;) => {
        ::loom::lazy_static! {
            $(#[$meta])*
            static ref $name: $type = $value;
        }
    };
}

/// An array of equal values.
macro_rules! repeat {
    ($value:expr; $count:expr) => {
        core::array::from_fn::<_, { $count }, _>(|_| $value)
    };
}

pub(crate) use {repeat, shared_static};
