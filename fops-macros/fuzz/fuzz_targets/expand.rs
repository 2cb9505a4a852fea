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
use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

// Under the names that they know each other by.
use modules::{args, check, diagnostics, expand, model, ops, parse, source, validate};

/// As in `lib.rs`, where nothing but the entry points of a macro may be public.
fn guard(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = diagnostics::Diagnostics::default();
    let parsed = parse::parse(arguments, item, &mut diagnostics);
    let checked = parsed.map(|block| validate::validate(block, &mut diagnostics));
    diagnostics.follow(expand::expand(checked))
}

fuzz_target!(|source: &[u8]| check::input(source));
