//! Source as its author wrote it: tokens that a rule looks into where it has to, and that are passed on otherwise.
//!
//! Signatures are not parsed: to make a syntax tree of each type costs more than all else that the macro does, and
//! what is wrong with one is rustc's to say.

use std::{borrow::Cow, vec::IntoIter};

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};
use syn::parse::{Parse, ParseStream, Parser};

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

/// Parses all of the tokens. Whatever is parsed goes through here: rustc compiles syn's own function anew for each use.
pub(crate) fn parse(tokens: TokenStream, read: &mut dyn FnMut(ParseStream<'_>) -> syn::Result<()>) -> syn::Result<()> {
    read.parse2(tokens)
}

/// All of the tokens as one thing.
pub(crate) fn parsed<T: Parse>(tokens: TokenStream) -> syn::Result<T> {
    let mut parsed = None;
    parse(tokens, &mut |input| {
        parsed = Some(input.parse()?);
        Ok(())
    })?;
    Ok(parsed.expect("it is parsed"))
}

/// A name without `r#`.
pub(crate) fn unraw(name: String) -> String {
    match name.strip_prefix("r#") {
        Some(unraw) => unraw.to_owned(),
        None => name,
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
pub(crate) fn find(trees: &[TokenTree], wanted: fn(&TokenTree) -> bool) -> Option<usize> {
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

/// Where the list that begins here goes on, outside of angle brackets: at the next comma, or the end.
pub(crate) fn to_comma(trees: &[TokenTree]) -> usize {
    find(trees, is_comma).unwrap_or(trees.len())
}

fn is_comma(tree: &TokenTree) -> bool {
    is_punct(Some(tree), ',')
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::tokens;

    fn source(text: &str) -> Source {
        Source::of(&tokens(text))
    }

    #[test]
    fn names_of_paths() {
        for (text, name) in [
            ("Option", "Option"),
            ("core::option::Option<&'a T>", "Option"),
            ("::core::option::Option::<T>", "Option"),
            ("(x::Option<T>)", "Option"),
            ("fragment! { Option<T> }", "Option"),
            ("(fragment! { fragment! { Option<T> } })", "Option"),
        ] {
            assert_eq!(source(text).path_name().expect(text), name, "{text}");
        }
        for text in ["", "&Option", "[Option]", "<Self as Option>::X", "fn(Option)", "(A, B)", "dyn 'a"] {
            assert!(source(text).path_name().is_none(), "{text}");
        }
    }

    #[test]
    fn words() {
        let ty = source("impl A<{ b }> + fragment! { c (d) }");
        assert!(ty.begins_with("impl") && !ty.begins_with("A") && source("fragment! { x }").begins_with("x"));
        for (word, at_top, anywhere) in
            [("A", true, true), ("c", true, true), ("b", false, true), ("d", false, true), ("e", false, false)]
        {
            assert_eq!((ty.has_word(word), ty.mentions(word)), (at_top, anywhere), "{word}");
        }
        let levels =
            |wanted: &str| ty.any_level(&|trees| matches!(trees, [TokenTree::Ident(word), ..] if word == wanted));
        assert!(levels("impl") && levels("b") && levels("d"));
        // A fragment is no level of its own.
        assert!(!levels("c") && !levels("A"));
    }

    #[test]
    fn fragments_are_looked_into() {
        let text = |trees: &[TokenTree]| Source(trees.to_vec()).into_stream().to_string();
        // Other groups stay.
        assert_eq!(text(&flat(&source("fragment! { a } (b)").0)), "a (b)");
        let flattened = flat(&source("a fragment! { b fragment! { c } } e").0).into_owned();
        assert_eq!(text(&flattened), "a b c e");
        assert!(matches!(flat(&source("a b").0), Cow::Borrowed(_)));
        assert_eq!(text(&source("fragment! { fragment! { a b } }").ungrouped().0), "a b");
        assert_eq!(source("(a)").ungrouped().0.len(), 1);
        assert_eq!(source("fragment! { a } b").ungrouped().0.len(), 2);
    }

    #[test]
    fn texts_in_texts() {
        for (text, wanted, found) in
            [("abc", "abc", true), ("abc", "bc", true), ("abc", "ac", false), ("ab", "abc", false), ("", "a", false)]
        {
            assert_eq!(contains(text, wanted), found, "{wanted} in {text}");
        }
    }

    #[test]
    fn outside_of_angle_brackets() {
        let comma = |text: &str| find(&source(text).0, is_comma);
        assert_eq!(comma("a, b"), Some(1));
        assert_eq!(comma("A<b, c>, d"), Some(6));
        assert_eq!(comma("A<B<c, d>, e>, f"), Some(11));
        assert_eq!(comma("fn() -> A, b"), Some(5));
        assert_eq!(comma("A<fn() -> B, c>, d"), Some(10));
        assert_eq!(comma("(a, b)"), None);
        // `a > b, c` is half-typed: nothing is lost.
        assert_eq!(comma("a > b, c"), Some(3));
        assert_eq!(comma("A<- > B, c> d, e"), Some(5));
    }

    #[test]
    fn attributes() {
        let mut cursor = Cursor::new(tokens("#[a] #[b::c(d)] # [cfg(x)] #[core::cfg(x)] #[e = 1] #! [f] g"));
        let all = cursor.attributes();
        let names: Vec<&str> = all.iter().map(|attribute| attribute.name.as_str()).collect();
        assert_eq!(names, ["a", "c", "cfg", "cfg", "e"]);
        assert!(all[1].is("c") && !all[1].is_builtin("c") && !all[1].is("b"));
        assert!(all[2].is_builtin("cfg") && !all[3].is_builtin("cfg") && !all[2].is_builtin("a"));
        let arguments: Vec<String> = all
            .iter()
            .map(|attribute| attribute.arguments().map_or("none".into(), |list| list.stream().to_string()))
            .collect();
        assert_eq!(arguments, ["none", "d", "x", "x", "none"]);
        assert_eq!(all[1].meta().to_string(), "b :: c (d)");
        assert_eq!(cursor.rest().len(), 4);
        // No attribute, although something of one is there.
        for text in ["#(a)", "# a", "[a]", "#"] {
            assert!(Cursor::new(tokens(text)).attributes().is_empty(), "{text}");
        }
    }

    #[test]
    fn a_cursor_opens_and_takes() {
        let mut cursor = Cursor::new(tokens("(a b) c d"));
        cursor.open(tokens("a b"));
        assert_eq!(cursor.peek(3).map(ToString::to_string).as_deref(), Some("d"));
        assert_eq!(cursor.take(3).into_stream().to_string(), "a b c");
        assert_eq!(cursor.take(3).into_stream().to_string(), "d");
        assert!(cursor.next().is_none() && cursor.peek(0).is_none());
    }
}
