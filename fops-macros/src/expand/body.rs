//! The body, as it was written, behind the statements that open its section.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Block as RustBlock;

use crate::source::{self, Source, is_punct, trees};

/// Puts the opening statements before the body, which becomes a block of its own.
///
/// The inner braces are ours, of edition 2024, and so decide that temporaries of the body's tail
/// are dropped within, before the guard, in whatever edition the author writes. They stand where
/// the body ends, which is where rustc misses a value. The outer ones stay the author's: errors
/// about the method point at them.
pub(super) fn enclose(mut opening: Source, body: &Group) -> Group {
    let content = trees(body.stream());
    let (attributes, content) = content.split_at(inner_attributes(&content));
    let stream = || if attributes.is_empty() { body.stream() } else { Source(content.to_vec()).into_stream() };
    let inner = if tail_parses(content) {
        braces(stream(), Span::mixed_site().located_at(body.span_close()))
    } else if attributes.is_empty() {
        // Half-typed code: rustc has reported it already, and recognises the same error in the
        // same braces.
        body.clone()
    } else {
        braces(stream(), body.span())
    };
    let mut all = attributes.to_vec();
    all.append(&mut opening.0);
    all.push(TokenTree::Group(inner));
    braces(Source(all).into_stream(), body.span())
}

pub(super) fn braces(content: TokenStream, span: Span) -> Group {
    let mut group = Group::new(Delimiter::Brace, content);
    group.set_span(span);
    group
}

/// How many tokens the `#![..]` at the start of a body are, which must stay at the start.
fn inner_attributes(body: &[TokenTree]) -> usize {
    let mut end = 0;
    while is_punct(body.get(end), '#') && is_punct(body.get(end + 1), '!') {
        end += 3;
    }
    end.min(body.len())
}

/// Whether the end of a body is complete, as far as its closing brace is concerned.
///
/// Only what follows the last semicolon, or the last statement that is a block, can be in want of more at the brace,
/// and there only what stands outside of further braces and parentheses. Most bodies end in an expression without
/// keywords, and are not parsed.
pub(super) fn tail_parses(body: &[TokenTree]) -> bool {
    let mut tail = body.len();
    let mut has_keyword = false;
    let mut word = None;
    while let Some(tree) = tail.checked_sub(1).map(|before| &body[before]) {
        let is_end = match tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            // A statement, if a word follows that does not go on with it.
            TokenTree::Group(group) => {
                group.delimiter() == Delimiter::Brace
                    && word.take().is_some_and(|word: String| word != "else" && word != "as")
            }
            _ => false,
        };
        if is_end {
            break;
        }
        word = None;
        if let TokenTree::Ident(ident) = tree {
            let name = ident.to_string();
            has_keyword |= KEYWORDS.contains(&name.as_str());
            word = Some(name);
        }
        tail -= 1;
    }
    match body[tail..].last() {
        None => true,
        Some(TokenTree::Punct(punct)) if punct.as_char() != '?' => parses(&body[tail..]),
        Some(_) if has_keyword => parses(&body[tail..]),
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

/// Whether this parses, with nothing in its braces and parentheses.
fn parses(tail: &[TokenTree]) -> bool {
    let mut emptied = Source::default();
    for tree in tail {
        emptied.0.push(match tree {
            TokenTree::Group(group) if matches!(group.delimiter(), Delimiter::Brace | Delimiter::Parenthesis) => {
                TokenTree::Group(Group::new(group.delimiter(), TokenStream::new()))
            }
            tree => tree.clone(),
        });
    }
    source::parse(emptied.into_stream(), &mut |input| RustBlock::parse_within(input).map(drop)).is_ok()
}
