//! By-value arguments are bound anew after the guard, so that they are dropped before it.

use proc_macro2::{Delimiter, Ident, Span, TokenTree};

use super::template::put;
use crate::{
    model::{Block, InputKind, Method, Parameter, plain_name},
    source::{Part, Source, to_comma, trees},
};

/// An argument on its way into the section.
pub(super) struct Moved<'a> {
    /// Which of the method's inputs it is.
    pub(super) position: usize,
    /// Its `#[cfg]`s.
    conditions: Source,
    /// What it is called in the signature.
    pub(super) from: Ident,
    /// What binds it after the guard.
    to: Source,
    /// The author's pattern, to be matched there.
    pattern: Option<&'a Source>,
}

/// The arguments whose drop may run code. Patterns and `mut` move from the signature to the statements that bind them
/// anew. An argument that the source of the `section` or the answers name stays what it is where that is evaluated:
/// before the statements.
pub(super) fn to_rebind<'a>(block: &Block, method: &'a Method, section: &Source) -> Vec<Moved<'a>> {
    let mut moved = Vec::new();
    let mut answers = Source::default();
    if let Some(answer) = method.unplugged(&block.options) {
        answer.source.put(&mut answers);
    }
    if let Some(answer) = method.not_found(&block.options) {
        answer.source.put(&mut answers);
    }
    for (position, input) in method.inputs.iter().enumerate() {
        let InputKind::Parameter(parameter) = &input.kind else { continue };
        if drops_nothing(&parameter.ty.0) {
            continue;
        }
        let name = plain_name(&parameter.pattern).map(ToString::to_string);
        let is_named = |source: &Source| name.as_ref().is_some_and(|name| source.mentions(name));
        // The guard borrows from the argument that leads to the device: that one cannot move.
        if !is_named(section) {
            moved.push(take(parameter, position, is_named(&answers)));
        }
    }
    moved
}

/// Leaves a plain name in the signature.
fn take(parameter: &Parameter, position: usize, is_named_in_answer: bool) -> Moved<'_> {
    let here = Span::mixed_site();
    let mut conditions = Source::default();
    for attribute in &parameter.attributes {
        if attribute.is_builtin("cfg") {
            attribute.put(&mut conditions);
        }
    }
    let ours = |prefix: &str| Ident::new(&format!("{prefix}{position}"), here.located_at(parameter.pattern.span()));
    if let Some(name) = plain_name(&parameter.pattern) {
        let mut from = name.clone();
        // Lints of names that are used or shadowed are for the author's own, so it is bound as ours.
        if !is_named_in_answer {
            from.set_span(here.located_at(name.span()));
        }
        return Moved { position, conditions, from, to: parameter.pattern.clone(), pattern: None };
    }
    let is_wild = matches!(&parameter.pattern.0[..], [TokenTree::Ident(wild)] if wild == "_");
    let name = ours("__arg");
    let is_borrowed_mutably = |trees: &[TokenTree]| {
        let is_word = |tree: &TokenTree, word: &str| matches!(tree, TokenTree::Ident(ident) if ident == word);
        let mut follows_ref = false;
        for tree in trees {
            if follows_ref && is_word(tree, "mut") {
                return true;
            }
            follows_ref = is_word(tree, "ref");
        }
        false
    };
    let mut to = Source(vec![name.clone().into()]);
    if parameter.pattern.any_level(&is_borrowed_mutably) {
        to.0.insert(0, Ident::new("mut", here).into());
    }
    Moved { position, conditions, from: name, to, pattern: (!is_wild).then_some(&parameter.pattern) }
}

/// One `let` for all of them, one more for each pattern, and single ones under a `#[cfg]`.
pub(super) fn rebind(moved: &[Moved], output: &mut Source) {
    let here = Span::mixed_site();
    let (mut count, mut to, mut from) = (0, Source::default(), Source::default());
    for one in moved {
        if one.conditions.0.is_empty() {
            if count > 0 {
                put!(&mut to, here, ",");
                put!(&mut from, here, ",");
            }
            one.to.put(&mut to);
            one.from.put(&mut from);
            count += 1;
        }
    }
    bind_anew(count, &to, &from, output);
    for one in moved {
        if !one.conditions.0.is_empty() {
            one.conditions.put(output);
            bind_anew(1, &one.to, &one.from, output);
        }
    }
    for one in moved {
        if let Some(pattern) = one.pattern {
            one.conditions.put(output);
            put!(output, here, "let #pattern = #from;", pattern, from = one.from);
        }
    }
}

/// `let a = a;` or `let (a, b) = (a, b);`.
///
/// `let _a = _a;` by itself would look to clippy as if it had no effect; in a tuple it does not.
fn bind_anew(count: usize, to: &dyn Part, from: &dyn Part, output: &mut Source) {
    let here = Span::mixed_site();
    match count {
        0 => {}
        1 => {
            let mut name = Source::default();
            from.put(&mut name);
            let is_unused = matches!(name.0.first(), Some(TokenTree::Ident(name)) if name.to_string().starts_with('_'));
            let text = if is_unused { "let (#to,) = (#from,);" } else { "let #to = #from;" };
            put!(output, here, text, to, from);
        }
        _ => put!(output, here, "let (#to) = (#from);", to, from),
    }
}

/// Whether the drop of this type runs no code, as far as its syntax tells.
fn drops_nothing(ty: &[TokenTree]) -> bool {
    match ty {
        [TokenTree::Punct(punct), ..] => matches!(punct.as_char(), '&' | '*' | '!'),
        [TokenTree::Ident(name), rest @ ..] => match name.to_string().as_str() {
            "bool" | "char" | "f32" | "f64" | "i8" | "i16" | "i32" | "i64" | "i128" | "isize" | "u8" | "u16"
            | "u32" | "u64" | "u128" | "usize" => rest.is_empty(),
            "fn" | "unsafe" | "extern" => true,
            _ => false,
        },
        [TokenTree::Group(group)] => match group.delimiter() {
            Delimiter::Parenthesis => {
                let trees = trees(group.stream());
                let mut rest = &trees[..];
                while !rest.is_empty() {
                    let end = to_comma(rest);
                    if !drops_nothing(&rest[..end]) {
                        return false;
                    }
                    rest = rest.get(end + 1..).unwrap_or_default();
                }
                true
            }
            Delimiter::None => drops_nothing(&trees(group.stream())),
            _ => false,
        },
        _ => false,
    }
}
