//! `#[derive(Resources)]`: parse, check and expand, in one file. Types are not looked into here either.

use proc_macro2::{Delimiter, Group, Literal, Span, TokenStream, TokenTree};
use syn::ItemImpl;

use crate::{
    args::{self, ResourcesOptions},
    diagnostics::{Diagnostics, Outcome},
    expand::{
        At, Runtime,
        template::{put, tokens},
    },
    source::{Attribute, Cursor, Source, find, is_punct, parsed, to_comma, unraw},
};

/// The impl of `Resources` for a structure; nothing, where there is an error.
pub(crate) fn derive(item: TokenStream, diagnostics: &mut Diagnostics) -> Source {
    let mut item = Cursor::new(item);
    let mut options = ResourcesOptions::default();
    let mut outcome = read(&mut options, &item.attributes(), diagnostics);
    loop {
        let Some(tree) = item.next() else { return Source::default() };
        match tree.to_string().as_str() {
            "struct" => break,
            "enum" | "union" => {
                diagnostics
                    .error(&tree, format_args!("`#[derive(Resources)]` is for structures"))
                    .help(format_args!("`impl Resources for ..` by hand, which shows the handles that are there"));
                return Source::default();
            }
            _ => {}
        }
    }
    let name = item.take(1);
    let generics = item.take(find(item.rest(), ends_generics).unwrap_or(0));
    let mut bounds = Source::default();
    let mut shown = Source::default();
    while let Some(tree) = item.next() {
        match tree {
            TokenTree::Group(fields) if is_body(&fields, &bounds) => {
                outcome = outcome.and(show(&fields, &name, &options, &mut shown, diagnostics));
            }
            tree if is_punct(Some(&tree), ';') => {}
            tree => bounds.0.push(tree),
        }
    }
    if outcome.is_err() {
        return Source::default();
    }
    let here = Span::mixed_site();
    // The generics of a structure, as an impl has them.
    let header = tokens!(here, "impl #generics #name #bounds {}", generics, name, bounds);
    let Ok(header) = parsed::<ItemImpl>(header.into_stream()) else { return Source::default() };
    let (generics, arguments, bounds) = header.generics.split_for_impl();
    tokens!(
        here,
        "#[automatically_derived]
        impl #generics #runtime::Resources for #name #arguments #bounds {
            fn handles(&self, __handles: &mut #runtime::Handles<'_>) { #shown }
        }",
        generics = Source::of(&generics),
        runtime = Runtime(options.runtime.0.as_ref(), here),
        name,
        arguments = Source::of(&arguments),
        bounds = Source::of(&bounds),
        shown,
    )
}

fn ends_generics(tree: &TokenTree) -> bool {
    match tree {
        TokenTree::Group(group) => group.delimiter() != Delimiter::None,
        TokenTree::Ident(word) => word == "where",
        tree => is_punct(Some(tree), ';'),
    }
}

/// Whether these are the fields, rather than a part of the bounds that precede or follow them.
fn is_body(group: &Group, bounds: &Source) -> bool {
    match group.delimiter() {
        Delimiter::Parenthesis => bounds.0.is_empty(),
        Delimiter::Brace => true,
        _ => false,
    }
}

/// A line for each field whose clones must not outlive the device.
fn show(
    fields: &Group,
    structure: &Source,
    options: &ResourcesOptions,
    shown: &mut Source,
    diagnostics: &mut Diagnostics,
) -> Outcome {
    let mut outcome = Ok(());
    let mut input = Cursor::new(fields.stream());
    let mut number = 0;
    while input.peek(0).is_some() {
        let mut own = ResourcesOptions::default();
        outcome = outcome.and(read(&mut own, &input.attributes(), diagnostics));
        outcome = outcome.and(shared_has_reason(&own, diagnostics));
        let field = input.take(to_comma(input.rest()));
        input.next();
        let mut member = TokenTree::Literal(Literal::u32_unsuffixed(number));
        if let Some(first) = field.0.first() {
            member.set_span(first.span());
        }
        if fields.delimiter() == Delimiter::Brace {
            // What precedes the colon.
            for (at, tree) in field.0.iter().enumerate() {
                if is_punct(field.0.get(at + 1), ':') {
                    member = tree.clone();
                    break;
                }
            }
        }
        number += 1;
        if own.shared.0.is_some() {
            continue;
        }
        // The place of the call is the place that the field is reported at.
        let here = Span::mixed_site().located_at(member.span());
        let name = format!("{}::{}", unraw(structure.0[0].to_string()), unraw(member.to_string()));
        let runtime = Runtime(options.runtime.0.as_ref(), here);
        let text = "#runtime::__private::Field::new(&self.#member).handles(&mut __handles.of(#name));";
        put!(shown, here, text, runtime, member, name = At(&name, here));
    }
    outcome
}

/// A field whose clones may outlive the device says why that is sound, and no other field gives a reason.
fn shared_has_reason(options: &ResourcesOptions, diagnostics: &mut Diagnostics) -> Outcome {
    let example = "`#[resources(shared, reason = \"feeds other devices too\")]`";
    let (culprit, why) = match (options.shared.0, &options.reason) {
        (None, None) => return Ok(()),
        (Some(_), Some(reason)) => return crate::validate::reason_is_given(reason, example, diagnostics),
        (Some(word), None) => (word, "clones of a shared field may be used after unplug: why is that sound?"),
        (None, Some(reason)) => (reason.0.span(), "only a shared field needs a reason"),
    };
    diagnostics.error_at(culprit, format_args!("{why}")).help(format_args!("{example}")).reported()
}

/// Reads the options in each `#[resources(..)]`.
fn read(options: &mut ResourcesOptions, attributes: &[Attribute], diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for attribute in attributes {
        if let (true, Some(list)) = (attribute.is("resources"), attribute.arguments()) {
            outcome = outcome.and(args::read(options, list.stream(), diagnostics));
        }
    }
    outcome
}
