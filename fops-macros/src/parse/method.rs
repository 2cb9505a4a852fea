//! A method: taken apart, and what is ours is taken out of its attributes and its parameters.

use proc_macro2::{Delimiter, Group, Ident, Spacing, TokenStream, TokenTree};
use quote::ToTokens;

use super::{HELPERS, Layout};
use crate::{
    args::{self, FopOptions},
    diagnostics::{Diagnostics, Outcome},
    model::{Input, InputKind, Method, Parameter, Receiver},
    source::{Attribute, Cursor, Source, flat, is_punct, to_comma, trees},
};

/// Takes out the `#[fop]`s, and the `#[access]` and `#[device]` parameters.
pub(super) fn method(
    before: Source,
    mut attributes: Vec<Attribute>,
    layout: &Layout,
    input: &mut Cursor,
    diagnostics: &mut Diagnostics,
) -> Method {
    let qualifiers = input.take(layout.name);
    let ident = match input.next() {
        Some(TokenTree::Ident(ident)) => ident,
        _ => unreachable!("the layout has a name here"),
    };
    let generics = input.take(layout.parentheses - layout.name - 1);
    let parentheses = group(input.next());
    let (arrow, output) = returned(input.take(layout.where_clause - layout.output));
    let where_clause = input.take(layout.body - layout.where_clause);
    let body = input.next().as_ref().and_then(super::body).unwrap_or_else(|| group(None));

    let mut outcome = reject_cfg_attr(&mut attributes, diagnostics);
    outcome = outcome.and(reject_marks(&mut attributes, diagnostics));
    let mut options = FopOptions::default();
    outcome = outcome.and(read_options(&mut options, &mut attributes, &ident, diagnostics));
    let (mut access, mut device, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
    let mut rest = Cursor::new(parentheses.stream());
    while let Some(mut input) = next_input(&mut rest) {
        match &mut input.kind {
            InputKind::Parameter(parameter) => {
                outcome = outcome.and(reject_cfg_attr(&mut parameter.attributes, diagnostics));
                outcome = outcome.and(reject_fop(&mut parameter.attributes, diagnostics));
                let (mark, marked) = take_mark(&mut parameter.attributes, diagnostics);
                outcome = outcome.and(marked);
                let lent = match mark {
                    Some(Mark::Access) => &mut access,
                    Some(Mark::Device) => &mut device,
                    None => {
                        inputs.push(input);
                        continue;
                    }
                };
                if let InputKind::Parameter(parameter) = input.kind {
                    lent.push(parameter);
                }
            }
            InputKind::Receiver(receiver) => {
                outcome = outcome.and(reject_on_self(&mut receiver.attributes, diagnostics));
                inputs.push(input);
            }
            InputKind::Other(source) => {
                *source = super::without_helpers(source.to_token_stream());
                inputs.push(input);
            }
        }
    }
    Method {
        before,
        attributes,
        qualifiers,
        constness: layout.constness,
        asyncness: layout.asyncness,
        ident,
        generics,
        parentheses,
        inputs,
        arrow,
        output,
        where_clause,
        access,
        device,
        options,
        body,
        outcome,
    }
}

fn group(tree: Option<TokenTree>) -> Group {
    match tree {
        Some(TokenTree::Group(group)) => group,
        _ => Group::new(Delimiter::Brace, TokenStream::new()),
    }
}

/// The arrow, and the type behind it.
fn returned(mut output: Source) -> (Source, Source) {
    let is_arrow = is_punct(output.0.first(), '-') && is_punct(output.0.get(1), '>');
    if !is_arrow {
        return (output, Source::default());
    }
    let ty = output.0.split_off(2);
    (output, Source(ty).ungrouped())
}

/// What a method takes: the next of it.
fn next_input(parentheses: &mut Cursor) -> Option<Input> {
    parentheses.peek(0)?;
    let attributes = parentheses.attributes();
    let kind = kind(attributes, parentheses.take(to_comma(parentheses.rest())));
    Some(Input { kind, comma: parentheses.next() })
}

fn kind(mut attributes: Vec<Attribute>, mut written: Source) -> InputKind {
    if let Some((this, is_by_value)) = receiver(&flat(&written.0)) {
        return InputKind::Receiver(Receiver { attributes, written, this, is_by_value });
    }
    match colon(&written.0) {
        Some(position) => {
            let ty = Source(written.0.split_off(position + 1)).ungrouped();
            let Some(colon) = written.0.pop() else { unreachable!("there is a colon") };
            // Half-typed: nothing is a type that ends like this.
            if matches!(ty.0.last(), None | Some(TokenTree::Punct(_))) && !ends_type(ty.0.last()) {
                return InputKind::Other(Source::default());
            }
            // Within the group of a fragment there may be more attributes.
            let mut pattern = Cursor::of(written.ungrouped());
            attributes.append(&mut pattern.attributes());
            let pattern = pattern.take(pattern.rest().len());
            InputKind::Parameter(Parameter { attributes, pattern, colon, ty })
        }
        // With an attribute it is not passed on: that may be ours.
        None if !attributes.is_empty() => InputKind::Other(Source::default()),
        None => InputKind::Other(written),
    }
}

fn ends_type(last: Option<&TokenTree>) -> bool {
    is_punct(last, '>') || is_punct(last, '!')
}

/// The `self` of a receiver, and whether that is all there is but for a `mut`.
fn receiver(trees: &[TokenTree]) -> Option<(Ident, bool)> {
    let mut at = 0;
    let is_reference = is_punct(trees.first(), '&');
    if is_reference {
        at += 1;
        if is_punct(trees.get(at), '\'') {
            at += 2;
        }
    }
    loop {
        let TokenTree::Ident(ident) = trees.get(at)? else { return None };
        at += 1;
        match ident.to_string().as_str() {
            "mut" => {}
            "self" if colon(trees) == Some(at) => return Some((ident.clone(), false)),
            "self" if trees.get(at).is_none() => return Some((ident.clone(), !is_reference)),
            _ => return None,
        }
    }
}

/// The colon that is not half of `::`.
fn colon(trees: &[TokenTree]) -> Option<usize> {
    let mut is_second = false;
    for (position, tree) in trees.iter().enumerate() {
        let TokenTree::Punct(punct) = tree else {
            is_second = false;
            continue;
        };
        let is_first = punct.spacing() == Spacing::Joint && is_punct(trees.get(position + 1), ':');
        if punct.as_char() == ':' && !is_first && !is_second {
            return Some(position);
        }
        is_second = punct.as_char() == ':' && is_first && !is_second;
    }
    None
}

/// Reads the options of the method's `#[fop]`, which is taken off.
fn read_options(
    options: &mut FopOptions,
    attributes: &mut Vec<Attribute>,
    ident: &Ident,
    diagnostics: &mut Diagnostics,
) -> Outcome {
    let fops = take(attributes, is_fop);
    let mut outcome = Ok(());
    for again in fops.get(1..).unwrap_or_default() {
        outcome = diagnostics
            .error(again, format_args!("a second `#[fop]` on `{ident}`"))
            .help(format_args!("one `#[fop(..)]` takes all options"))
            .reported();
    }
    let Some(fop) = fops.first() else { return outcome };
    match fop.arguments() {
        Some(list) if !list.stream().is_empty() => outcome.and(args::read(options, list.stream(), diagnostics)),
        _ => diagnostics
            .error(&fop.meta(), format_args!("`#[fop]` says nothing without options"))
            .help(format_args!("`#[fop(guarded)]`, `#[fop(always)]` or `#[fop(unguarded, reason = \"..\")]`"))
            .reported(),
    }
}

fn is_mark(attribute: &Attribute) -> bool {
    Mark::of(attribute).is_some()
}

fn is_fop(attribute: &Attribute) -> bool {
    attribute.is("fop")
}

/// Takes off the attributes that are wanted.
fn take(attributes: &mut Vec<Attribute>, wanted: fn(&Attribute) -> bool) -> Vec<Attribute> {
    let mut taken = Vec::new();
    let mut at = 0;
    while let Some(attribute) = attributes.get(at) {
        if wanted(attribute) { taken.push(attributes.remove(at)) } else { at += 1 }
    }
    taken
}

/// What a parameter is marked as, which is then no part of the signature.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Access,
    Device,
}

impl Mark {
    fn of(attribute: &Attribute) -> Option<Self> {
        if attribute.is("access") {
            Some(Self::Access)
        } else if attribute.is("device") {
            Some(Self::Device)
        } else {
            None
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Device => "device",
        }
    }
}

/// The mark of a parameter, which is taken off.
fn take_mark(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> (Option<Mark>, Outcome) {
    let marks = take(attributes, is_mark);
    let Some(first) = marks.first() else { return (None, Ok(())) };
    let mark = Mark::of(first);
    let name = mark.map_or("", Mark::name);
    let mut outcome = Ok(());
    if !first.rest.0.is_empty() {
        outcome = diagnostics
            .error(&first.meta(), format_args!("`#[{name}]` takes no arguments"))
            .help(format_args!("`#[{name}]`"))
            .reported();
    }
    for again in &marks[1..] {
        outcome = match Mark::of(again) == mark {
            true => diagnostics
                .error(again, format_args!("this parameter is marked `#[{name}]` twice"))
                .help(format_args!("remove one"))
                .reported(),
            false => diagnostics
                .error(again, format_args!("a parameter is the device or the access to its resources, not both"))
                .help(format_args!("give each a parameter of its own"))
                .reported(),
        };
    }
    (mark, outcome)
}

/// Takes marks off what is no parameter and says where they belong.
pub(super) fn reject_marks(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for culprit in &take(attributes, is_mark) {
        let name = Mark::of(culprit).map_or("", Mark::name);
        outcome = diagnostics
            .error(culprit, format_args!("`#[{name}]` marks a parameter"))
            .help(format_args!("`fn operation(&self, #[{name}] {name}: &<Type>, ..)`"))
            .reported();
    }
    outcome
}

/// Takes the policy off a parameter and says where it belongs.
fn reject_fop(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for culprit in &take(attributes, is_fop) {
        outcome = diagnostics
            .error(culprit, format_args!("`#[fop]` sets the policy of a method, not of a parameter"))
            .help(format_args!("put it on the method"))
            .reported();
    }
    outcome
}

/// Takes marks off the receiver and says where they belong.
fn reject_on_self(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = reject_cfg_attr(attributes, diagnostics).and(reject_fop(attributes, diagnostics));
    for culprit in &take(attributes, is_mark) {
        let diagnostic = match Mark::of(culprit) {
            Some(Mark::Access) => diagnostics
                .error(culprit, format_args!("`self` is the device, not the access to its resources"))
                .help(format_args!("give the access a parameter: `#[access] hw: &Access<'_, ..>`")),
            _ => diagnostics
                .error(
                    culprit,
                    format_args!(
                        "`#[device]` marks the parameter that is lent the device that `via` looks up, not `self`"
                    ),
                )
                .help(format_args!("give it a parameter: `#[device] device: &<Type>`")),
        };
        outcome = diagnostic.reported();
    }
    outcome
}

/// Takes off `#[cfg_attr(.., fop(..))]` and says why it cannot work.
fn reject_cfg_attr(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for culprit in &take(attributes, hides_helper) {
        outcome = diagnostics
            .error(
                culprit,
                format_args!("`#[guarded_fops]` runs before `cfg_attr` is decided, and cannot see what it hides"),
            )
            .help(format_args!("write the method twice, under `#[cfg(..)]` and under `#[cfg(not(..))]`"))
            .reported();
    }
    outcome
}

/// Whether a `cfg_attr` may become an attribute of ours: the path of one follows a comma.
fn hides_helper(attribute: &Attribute) -> bool {
    if !attribute.is_builtin("cfg_attr") {
        return false;
    }
    let Some(list) = attribute.arguments() else { return false };
    let trees = trees(list.stream());
    let trees = flat(&trees);
    let (mut in_path, mut name) = (false, String::new());
    for tree in trees.iter() {
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == ',' => {
                if HELPERS.contains(&name.as_str()) {
                    return true;
                }
                (in_path, name) = (true, String::new());
            }
            TokenTree::Ident(ident) if in_path => name = ident.to_string(),
            TokenTree::Punct(punct) if punct.as_char() == ':' => {}
            _ => in_path = false,
        }
    }
    HELPERS.contains(&name.as_str())
}
