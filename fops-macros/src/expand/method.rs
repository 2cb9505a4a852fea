//! One method: its signature as the trait wants it, the guard, and the body as it was written.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Block as RustBlock, Expr, PatType, Type, parse::Parser, spanned::Spanned};

use super::{Runtime, arguments, descriptor, lifetime, operand, ungrouped};
use crate::{
    model::{Block, Method, plain_name},
    ops::Policy,
};

/// The method with a guard in front of its body.
pub(super) fn expand(block: &Block, method: &Method) -> TokenStream {
    let mut signature = method.signature.clone();
    let policy = method.policy(&block.options);
    let section = match (&policy, section(block, method)) {
        (Ok(Policy::Unguarded), _) if method.sound => None,
        (Ok(policy), Some(lifetime)) if method.sound => {
            let kept = [Some(lifetime.clone()), method.unplugged(&block.options).map(ToTokens::to_token_stream)];
            let mut opening = guard(block, method, *policy, &lifetime);
            opening.extend(arguments::rebind(&mut signature, kept.each_ref().map(Option::as_ref)));
            Some(opening)
        }
        _ => placeholders(block, method),
    };
    let Method { attributes, visibility, defaultness, body, .. } = method;
    let body = match section {
        Some(opening) => enclose(opening, body),
        None => body.clone(),
    };
    quote!(#(#attributes)* #visibility #defaultness #signature #body)
}

/// The expression for the lifetime that this method enters, where there is one.
fn section(block: &Block, method: &Method) -> Option<TokenStream> {
    let via = |code: &crate::args::Code| operand(&code.0);
    let device = match (&method.options.via, method.signature.receiver(), &block.options.via) {
        (Some(own), _, _) => via(own),
        (None, Some(receiver), _) => receiver.self_token.to_token_stream(),
        (None, None, Some(default)) => via(default),
        (None, None, None) => return None,
    };
    lifetime(&block.options, &device)
}

/// The statements that open the section and lend the access.
fn guard(block: &Block, method: &Method, policy: Policy, lifetime: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let access = method.access.first();
    let name = guard_name(access);
    let descriptor = descriptor(block, method);
    // Where the field is no lifetime, the error points at the option that named it.
    let option = block.options.lifetime.as_ref().map_or(here, |code| code.0.span());
    let enter = Ident::new("enter", here.located_at(option));
    let enter = quote_spanned!(here=> #lifetime.#enter(const { &#descriptor }));
    // So that errors about the loan point at the parameter.
    let loan = here.located_at(access.map_or(here, |access| access.pat.span()));
    let (mut opening, lent) = if policy == Policy::Always {
        (quote_spanned!(here=> let #name = #enter.ok();), quote_spanned!(loan=> #name.as_ref()))
    } else {
        let answer = answer(block, method);
        (
            quote_spanned! {here=>
                let ::core::result::Result::Ok(#name) = #enter else { #answer };
            },
            quote_spanned!(loan=> &#name),
        )
    };
    if let Some(PatType { attrs, pat, ty, .. }) = access {
        opening.extend(quote_spanned!(here=> #(#attrs)* let #pat: #ty = #lent;));
    }
    opening
}

/// The guard has the author's own name for the access, where that is a name: errors of the
/// borrow checker then speak of it.
fn guard_name(access: Option<&PatType>) -> Ident {
    match access {
        None => Ident::new("_guard", Span::mixed_site()),
        Some(access) => plain_name(&access.pat).cloned().unwrap_or_else(|| Ident::new("guard", Span::mixed_site())),
    }
}

/// The statement that answers for a device that is gone.
fn answer(block: &Block, method: &Method) -> TokenStream {
    let here = Span::mixed_site();
    match method.unplugged(&block.options).map(ungrouped) {
        Some(Expr::Tuple(unit)) if unit.elems.is_empty() => return quote_spanned!(here=> return;),
        Some(expression) => return quote_spanned!(here=> return #expression;),
        None => {}
    }
    // A type without an answer is an error at the type, or at the name where none is written.
    let ty = match method.returns() {
        Some(ty) => ty.to_token_stream(),
        None => quote_spanned!(method.signature.ident.span()=> ()),
    };
    let span = here.located_at(ty.span());
    let runtime = Runtime::of(&block.options).at(span);
    if has_opaque(ty.clone()) {
        return quote_spanned!(span=> return #runtime::unplugged(););
    }
    quote_spanned!(span=> return #runtime::unplugged::<#ty>();)
}

/// Whether `impl Trait` stands somewhere in the type: such a type cannot be named again.
fn has_opaque(ty: TokenStream) -> bool {
    ty.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_opaque(group.stream()),
        _ => false,
    })
}

/// For a method that an error was found in: the access by type only, so that its body means
/// what it means to the author.
fn placeholders(block: &Block, method: &Method) -> Option<TokenStream> {
    let here = Span::mixed_site();
    let runtime = Runtime::of(&block.options).at(here);
    let bindings: TokenStream = method
        .access
        .iter()
        .map(|PatType { attrs, pat, ty, .. }: &PatType| {
            let ty: &Type = ty;
            quote_spanned!(here=> #(#attrs)* let #pat: #ty = #runtime::__private::any();)
        })
        .collect();
    (!bindings.is_empty()).then_some(bindings)
}

/// Puts the opening statements before the body, which becomes a block of its own.
///
/// The inner braces are ours, of edition 2024, and so decide that temporaries of the body's tail
/// are dropped within, before the guard, in whatever edition the author writes. They stand where
/// the body ends, which is where rustc misses a value. The outer ones stay the author's: errors
/// about the method point at them.
fn enclose(opening: TokenStream, body: &Group) -> Group {
    let (attributes, content) = split_inner_attributes(body.stream());
    let inner = if tail_parses(&content) {
        braces(content, Span::mixed_site().located_at(body.span_close()))
    } else if attributes.is_empty() {
        // Half-typed code: rustc has reported it already, and recognises the same error in the
        // same braces.
        body.clone()
    } else {
        braces(content, body.span())
    };
    braces(quote!(#attributes #opening #inner), body.span())
}

fn braces(content: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Brace, content);
    group.set_span(span);
    group
}

/// `#![..]` at the start of a body, which must stay at the start, and what follows.
fn split_inner_attributes(body: TokenStream) -> (TokenStream, TokenStream) {
    let trees: Vec<TokenTree> = body.into_iter().collect();
    let is = |tree: &TokenTree, expected: char| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == expected);
    let mut end = 0;
    while let [hash, bang, TokenTree::Group(_), ..] = &trees[end..]
        && is(hash, '#')
        && is(bang, '!')
    {
        end += 3;
    }
    let mut trees = trees.into_iter();
    (trees.by_ref().take(end).collect(), trees.collect())
}

/// Whether the end of a body is complete, as far as its closing brace is concerned.
///
/// Only what follows the last semicolon can be in want of more at the brace, and there only what
/// stands outside of further braces and parentheses.
fn tail_parses(body: &TokenStream) -> bool {
    let mut tail = Vec::new();
    for tree in body.clone() {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ';' => tail.clear(),
            TokenTree::Group(group) if matches!(group.delimiter(), Delimiter::Brace | Delimiter::Parenthesis) => {
                tail.push(TokenTree::Group(Group::new(group.delimiter(), TokenStream::new())));
            }
            tree => tail.push(tree),
        }
    }
    RustBlock::parse_within.parse2(tail.into_iter().collect()).is_ok()
}
