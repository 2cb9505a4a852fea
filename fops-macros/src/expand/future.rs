//! Methods whose work is that of a future: their section opens when it is first polled.

use proc_macro2::{Group, Ident, Span, TokenTree};

use super::{
    body::{self, braces},
    template::tokens,
};
use crate::{model::Work, source::Source};

/// The body behind its opening statements.
pub(super) fn enclose(work: &Work, opening: Source, body: &Group) -> Group {
    let Work::Returned { boxed, .. } = work else {
        return body::enclose(opening, body);
    };
    let here = Span::mixed_site();
    let future = tokens!(here, "async move { #opening #body.await }", opening, body = TokenTree::Group(body.clone()));
    let future = match boxed {
        Some(path) => tokens!(here, "#path::pin(#future)", path = Source::of(path), future),
        // To a lint, a body that is nothing but `async move` should have been an `async fn`.
        None => tokens!(here, "let #work = #future; #work", work = Ident::new("__work", here), future),
    };
    braces(future.into_stream(), body.span())
}
