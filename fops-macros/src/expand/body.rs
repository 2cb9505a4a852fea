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
    let mut first = body.clone().into_iter();
    if !matches!(first.next(), Some(TokenTree::Punct(hash)) if hash.as_char() == '#') {
        return (TokenStream::new(), body);
    }
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
/// Only what follows the last semicolon, or the last statement that is a block, can be in want of more at the brace,
/// and there only what stands outside of further braces and parentheses. Most bodies end in an expression without
/// keywords, and are not parsed.
fn tail_parses(body: &TokenStream) -> bool {
    let mut tail: Vec<TokenTree> = Vec::new();
    let mut has_keyword = false;
    for tree in body.clone() {
        let after_block = matches!(tail.last(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace);
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ';' => {
                tail.clear();
                has_keyword = false;
            }
            TokenTree::Group(group) if matches!(group.delimiter(), Delimiter::Brace | Delimiter::Parenthesis) => {
                tail.push(TokenTree::Group(Group::new(group.delimiter(), TokenStream::new())));
            }
            TokenTree::Ident(ident) => {
                let is_keyword = KEYWORDS.iter().any(|keyword| ident == keyword);
                if after_block && ident != "else" && ident != "as" {
                    tail.clear();
                    has_keyword = false;
                }
                has_keyword |= is_keyword;
                tail.push(ident.into());
            }
            tree => tail.push(tree),
        }
    }
    match tail.last() {
        None => true,
        Some(TokenTree::Punct(punct)) if punct.as_char() != '?' => parses(tail),
        Some(_) if has_keyword => parses(tail),
        Some(_) => true,
    }
}

/// Those that something has to follow, sooner or later.
const KEYWORDS: &[&str] = &[
    "as",
    "async",
    "await",
    "const",
    "dyn",
    "else",
    "enum",
    "extern",
    "fn",
    "for",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro_rules",
    "match",
    "mod",
    "move",
    "mut",
    "pub",
    "ref",
    "static",
    "struct",
    "trait",
    "type",
    "union",
    "unsafe",
    "use",
    "where",
    "while",
];

fn parses(tail: Vec<TokenTree>) -> bool {
    RustBlock::parse_within.parse2(tail.into_iter().collect()).is_ok()
}
