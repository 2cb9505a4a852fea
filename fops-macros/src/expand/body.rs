//! The body, as it was written, behind the statements that open its section.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{Block as RustBlock, parse::Parser};

/// Puts the opening statements before the body, which becomes a block of its own.
///
/// The inner braces are ours, of edition 2024, and so decide that temporaries of the body's tail
/// are dropped within, before the guard, in whatever edition the author writes. They stand where
/// the body ends, which is where rustc misses a value. The outer ones stay the author's: errors
/// about the method point at them.
pub(super) fn enclose(opening: TokenStream, body: &Group) -> Group {
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

pub(super) fn braces(content: TokenStream, span: Span) -> Group {
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
