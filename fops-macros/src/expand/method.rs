//! One method: its signature as the trait wants it, the guard, and the body as it was written.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::PatType;

use super::{Runtime, arguments, body::enclose, future::Work, section::Section};
use crate::{
    model::{Block, Method},
    ops::Policy,
};

/// The method with a guard in front of its body.
pub(super) fn expand(block: &Block, method: &Method, descriptor: &TokenStream) -> TokenStream {
    let mut signature = method.signature.clone();
    let Method { attributes, visibility, defaultness, body, .. } = method;
    let policy = method.policy(&block.options);
    let work = Work::of(method);
    let body = match policy {
        Ok(Policy::Unguarded) if method.sound => body.clone(),
        Ok(Policy::Always) if method.sound && method.consumes_device(&block.options) => body.clone(),
        Ok(policy)
            if method.sound
                && let Some(section) = Section::of(block, method, policy, &work, descriptor) =>
        {
            let answers = [method.unplugged(&block.options), method.not_found(&block.options)];
            let answers: TokenStream = answers.into_iter().flatten().map(ToTokens::to_token_stream).collect();
            let mut opening = section.opening();
            opening.extend(arguments::rebind(&mut signature, &section.source, &answers));
            work.enclose(opening, body)
        }
        _ => match placeholders(block, method) {
            Some(placeholders) => enclose(placeholders, body),
            None => body.clone(),
        },
    };
    quote!(#(#attributes)* #visibility #defaultness #signature #body)
}

/// For a method that an error was found in: what is lent by type only, so that its body means what it means
/// to the author.
fn placeholders(block: &Block, method: &Method) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let runtime = Runtime::of(&block.options).at(here);
    let lent = method.access.iter().chain(&method.device);
    let bindings: TokenStream = lent
        .map(|PatType { attrs, pat, ty, .. }| {
            quote_spanned!(here=> #(#attrs)* let #pat: #ty = #runtime::__private::any();)
        })
        .collect();
    (!bindings.is_empty()).then_some(bindings)
}
