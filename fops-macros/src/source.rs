//! Source as its author wrote it: tokens that a rule looks into where it has to, and that are passed on otherwise.
//!
//! Signatures are not parsed: to make a syntax tree of each type costs more than all else that the macro does, and
//! what is wrong with one is rustc's to say.

use std::{borrow::Cow, vec::IntoIter};

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};

/// A type, a pattern, an expression, or just some tokens.
#[derive(Clone, Default)]
pub(crate) struct Source(pub(crate) Vec<TokenTree>);

impl ToTokens for Source {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for tree in &self.0 {
            tokens.append(tree.clone());
        }
    }
}

/// What may stand in other source.
pub(crate) trait Part {
    /// Puts its tokens there, one by one: to join streams of them is what expansion would spend most of its time with.
    fn put(&self, output: &mut Source);
}

impl<T: Part + ?Sized> Part for &T {
    fn put(&self, output: &mut Source) {
        (**self).put(output);
    }
}

impl Part for Source {
    fn put(&self, output: &mut Source) {
        output.0.extend_from_slice(&self.0);
    }
}

impl Part for Ident {
    fn put(&self, output: &mut Source) {
        output.0.push(TokenTree::Ident(self.clone()));
    }
}

impl Part for TokenTree {
    fn put(&self, output: &mut Source) {
        output.0.push(self.clone());
    }
}

impl Part for Attribute {
    fn put(&self, output: &mut Source) {
        self.written.put(output);
    }
}

impl<T: Part> Part for [T] {
    fn put(&self, output: &mut Source) {
        for part in self {
            part.put(output);
        }
    }
}

impl Source {
    pub(crate) fn into_stream(self) -> TokenStream {
        self.0.into_iter().collect()
    }

    pub(crate) fn of(tokens: &dyn ToTokens) -> Self {
        Self(tokens.to_token_stream().into_iter().collect())
    }

    /// Where it begins.
    pub(crate) fn span(&self) -> Span {
        self.0.first().map_or_else(Span::call_site, TokenTree::span)
    }

    /// Without the group that stands around the fragment of a macro.
    pub(crate) fn ungrouped(self) -> Self {
        match &self.0[..] {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::None => {
                Self(trees(group.stream())).ungrouped()
            }
            _ => self,
        }
    }

    /// Whether the name stands in it somewhere.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        mentions(&self.0, name)
    }

    /// Whether this holds for its trees, or for those of a group in it.
    pub(crate) fn any_level(&self, holds: &dyn Fn(&[TokenTree]) -> bool) -> bool {
        let trees = flat(&self.0);
        if holds(&trees) {
            return true;
        }
        for tree in trees.iter() {
            let TokenTree::Group(group) = tree else { continue };
            if Source(self::trees(group.stream())).any_level(holds) {
                return true;
            }
        }
        false
    }

    /// Whether the word stands in it, outside of groups.
    pub(crate) fn has_word(&self, word: &str) -> bool {
        for tree in flat(&self.0).iter() {
            if matches!(tree, TokenTree::Ident(ident) if ident == word) {
                return true;
            }
        }
        false
    }

    /// Whether it begins with this word.
    pub(crate) fn begins_with(&self, word: &str) -> bool {
        matches!(flat(&self.0).first(), Some(TokenTree::Ident(ident)) if ident == word)
    }

    /// The name that ends the path which this type is, as `Option` in `core::option::Option<T>`.
    pub(crate) fn path_name(&self) -> Option<Ident> {
        let mut name = None;
        let flattened = flat(&self.0);
        let mut rest = &flattened[..];
        // Parentheses may stand around a type.
        let inside;
        let parenthesized = match rest {
            [TokenTree::Group(group)] if group.delimiter() == Delimiter::Parenthesis => Some(group.stream()),
            _ => None,
        };
        if let Some(type_inside) = parenthesized {
            inside = flat(&trees(type_inside)).into_owned();
            rest = &inside;
        }
        for tree in rest {
            match tree {
                TokenTree::Ident(ident) => name = Some(ident),
                TokenTree::Punct(punct) if punct.as_char() == ':' => {}
                TokenTree::Punct(punct) if punct.as_char() == '<' => break,
                _ => return None,
            }
        }
        name.cloned()
    }
}

pub(crate) fn trees(tokens: TokenStream) -> Vec<TokenTree> {
    tokens.into_iter().collect()
}

/// The trees with the content of each macro fragment in its place. Only to look at: without its group, a fragment may mean
/// something else.
pub(crate) fn flat(trees: &[TokenTree]) -> Cow<'_, [TokenTree]> {
    let Some(first) = first_fragment(trees) else { return Cow::Borrowed(trees) };
    let mut output = trees[..first].to_vec();
    for tree in &trees[first..] {
        match tree {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                output.extend_from_slice(&flat(&self::trees(group.stream())));
            }
            tree => output.push(tree.clone()),
        }
    }
    Cow::Owned(output)
}

fn first_fragment(trees: &[TokenTree]) -> Option<usize> {
    for (position, tree) in trees.iter().enumerate() {
        if matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::None) {
            return Some(position);
        }
    }
    None
}

fn mentions(trees: &[TokenTree], name: &str) -> bool {
    for tree in trees {
        let found = match tree {
            TokenTree::Ident(ident) => ident == name,
            TokenTree::Group(group) => mentions(&self::trees(group.stream()), name),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

/// Whether the text holds this one. (`str::contains` brings its searchers into every build of this crate.)
pub(crate) fn contains(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (text.as_bytes(), wanted.as_bytes());
    for at in 0..text.len() {
        if text[at..].starts_with(wanted) {
            return true;
        }
    }
    false
}

pub(crate) fn is_punct(tree: Option<&TokenTree>, expected: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == expected)
}

/// The first of the trees, outside of angle brackets, that is wanted. (Other brackets are trees of their own.)
pub(crate) fn find(trees: &[TokenTree], wanted: &dyn Fn(&TokenTree) -> bool) -> Option<usize> {
    let mut depth = 0;
    let mut is_arrow = false;
    for (position, tree) in trees.iter().enumerate() {
        if depth <= 0 && wanted(tree) {
            return Some(position);
        }
        let TokenTree::Punct(punct) = tree else {
            is_arrow = false;
            continue;
        };
        match punct.as_char() {
            '<' => depth += 1,
            '>' if !is_arrow => depth -= 1,
            _ => {}
        }
        is_arrow = punct.as_char() == '-' && punct.spacing() == Spacing::Joint;
    }
    None
}

/// Tokens that are taken one after the other.
pub(crate) struct Cursor(IntoIter<TokenTree>);

impl Cursor {
    pub(crate) fn new(tokens: TokenStream) -> Self {
        Self(trees(tokens).into_iter())
    }

    pub(crate) fn of(source: Source) -> Self {
        Self(source.0.into_iter())
    }

    /// All that is left.
    pub(crate) fn rest(&self) -> &[TokenTree] {
        self.0.as_slice()
    }

    pub(crate) fn peek(&self, position: usize) -> Option<&TokenTree> {
        self.rest().get(position)
    }

    pub(crate) fn next(&mut self) -> Option<TokenTree> {
        self.0.next()
    }

    pub(crate) fn take(&mut self, count: usize) -> Source {
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            let Some(tree) = self.0.next() else { break };
            taken.push(tree);
        }
        Source(taken)
    }

    /// Puts the content of the next tree, a group, in its place.
    pub(crate) fn open(&mut self, content: TokenStream) {
        self.0.next();
        let mut all = trees(content);
        all.extend_from_slice(self.rest());
        self.0 = all.into_iter();
    }

    /// The attributes that stand here.
    pub(crate) fn attributes(&mut self) -> Vec<Attribute> {
        let mut attributes = Vec::new();
        let is_bracketed = |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket);
        while is_punct(self.peek(0), '#') && is_bracketed(self.peek(1)) {
            let attribute = Attribute::new(self.take(2));
            attributes.push(attribute);
        }
        attributes
    }
}

/// An attribute: `#[path::name rest]`.
#[derive(Clone)]
pub(crate) struct Attribute {
    written: Source,
    /// The last name of its path, of which there are several names where it is qualified.
    pub(crate) name: String,
    is_qualified: bool,
    /// What follows the path.
    pub(crate) rest: Source,
}

impl ToTokens for Attribute {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        self.written.to_tokens(tokens);
    }
}

impl Attribute {
    fn new(written: Source) -> Self {
        let inside = match written.0.last() {
            Some(TokenTree::Group(brackets)) => Source(flat(&trees(brackets.stream())).into_owned()),
            _ => Source::default(),
        };
        let mut inside = Cursor::of(inside);
        let (mut name, mut is_qualified) = (String::new(), false);
        loop {
            match inside.peek(0) {
                Some(TokenTree::Ident(ident)) => name = ident.to_string(),
                Some(TokenTree::Punct(punct)) if punct.as_char() == ':' => is_qualified = true,
                _ => break,
            }
            inside.next();
        }
        Self { written, name, is_qualified, rest: Source(inside.rest().to_vec()) }
    }

    /// Whether this is the attribute of that name, however it is qualified.
    pub(crate) fn is(&self, name: &str) -> bool {
        self.name == name
    }

    /// Whether it is the compiler's attribute of that name.
    pub(crate) fn is_builtin(&self, name: &str) -> bool {
        self.name == name && !self.is_qualified
    }

    /// What stands between its parentheses.
    pub(crate) fn arguments(&self) -> Option<&Group> {
        match &self.rest.0[..] {
            [TokenTree::Group(group)] => Some(group),
            _ => None,
        }
    }

    /// Its path and arguments, without the brackets.
    pub(crate) fn meta(&self) -> TokenStream {
        match self.written.0.last() {
            Some(TokenTree::Group(brackets)) => brackets.stream(),
            _ => TokenStream::new(),
        }
    }
}
