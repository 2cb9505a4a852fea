//! The macro on arbitrary source, and on a real impl that the input mutates.
//!
//! A macro crate cannot be linked to: this is built from its modules.
#![no_main]
#![allow(dead_code, unused_imports)]

#[path = "../../src"]
mod modules {
    pub mod args;
    #[path = "tests/check.rs"]
    pub mod check;
    pub mod diagnostics;
    pub mod expand;
    pub mod model;
    pub mod ops;
    pub mod parse;
    pub mod source;
    pub mod validate;
}
// Under the names that they know each other by.
use modules::{args, check, diagnostics, expand, model, ops, parse, source, validate};

use libfuzzer_sys::fuzz_target;

fuzz_target!(|source: &[u8]| check::input(source));
