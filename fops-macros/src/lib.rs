//! `#[guarded_fops]`.
use proc_macro::TokenStream;

/// Guards an impl block.
#[proc_macro_attribute]
pub fn guarded_fops(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Sets an operation's policy.
#[proc_macro_attribute]
pub fn fop(_: TokenStream, item: TokenStream) -> TokenStream {
    item
}
