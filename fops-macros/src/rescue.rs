//! What is left to do if this crate panics.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use proc_macro2::{Span, TokenStream};

use crate::{diagnostics::Diagnostics, parse};

/// What `expansion` returns. If it panics, the author's `item` as it is, and an error that says so: without the item,
/// each use of it would be an error too.
pub(crate) fn catch(item: TokenStream, expansion: impl FnOnce() -> TokenStream) -> TokenStream {
    catch_unwind(AssertUnwindSafe(expansion)).unwrap_or_else(|panic| {
        let mut diagnostics = Diagnostics::default();
        diagnostics
            .error_at(Span::call_site(), format_args!("`#[guarded_fops]` panicked: {}", message(&*panic)))
            .help(format_args!("this is a bug of the macro, please report it together with this impl block"));
        diagnostics.follow(parse::without_helpers(item))
    })
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an author gets whose block makes the macro panic.
    fn after(panic: fn() -> TokenStream) -> String {
        let item = "impl Device { #[fop(always)] fn read(&self, #[access] hw: &Hw) { hw.read() } }";
        let outcome = catch(item.parse().expect("tokens"), panic);
        prettyplease::unparse(&syn::parse2(outcome).expect("it parses"))
    }

    #[test]
    fn the_item_goes_on() {
        let outcome = after(|| panic!("no policy for `read`"));
        assert!(outcome.contains("fn read(&self, hw: &Hw) {\n        hw.read()"), "{outcome}");
    }

    #[test]
    fn the_author_learns_what_happened() {
        let error = "`#[guarded_fops]` panicked: no policy for `read`\n\
                     help: this is a bug of the macro, please report it together with this impl block";
        let outcome = after(|| panic!("no policy for `{}`", "read"));
        assert!(outcome.contains(&format!("{error:?}")), "{outcome}");
        let outcome = after(|| std::panic::panic_any(5));
        assert!(outcome.contains("panicked: without a message"), "{outcome}");
    }

    #[test]
    fn without_a_panic_nothing_changes() {
        assert_eq!(catch(TokenStream::new(), || "fn a() {}".parse().expect("tokens")).to_string(), "fn a () { }");
    }
}
