//! `#[guarded_fops]`.
#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod args;
mod diagnostics;
mod expand;
mod model;
mod ops;
mod parse;
#[cfg(test)]
mod tests;
mod validate;

/// Guards.
#[proc_macro_attribute]
pub fn guarded_fops(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::guarded_fops(arguments.into(), item.into()).into()
}

/// Sets the policy.
#[proc_macro_attribute]
pub fn fop(_arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::stray_fop(item.into()).into()
}
