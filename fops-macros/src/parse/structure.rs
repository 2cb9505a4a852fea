//! A structure: its name, its generics, its fields.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;
use syn::{Item, Member, Meta};

use crate::{
    args::{self, FieldOptions, Options, StructureOptions},
    diagnostics::{Diagnostics, Outcome, Reported},
    model::{Field, Structure},
};

/// Parses the item under `#[derive(Resources)]`, which has to be a structure.
pub(crate) fn structure(item: TokenStream, diagnostics: &mut Diagnostics) -> Result<Structure, Reported> {
    let structure = match syn::parse2(item) {
        Ok(Item::Struct(structure)) => structure,
        Ok(Item::Enum(other)) => return no_structure(&other.enum_token, "an enum", diagnostics),
        Ok(Item::Union(other)) => return no_structure(&other.union_token, "a union", diagnostics),
        // rustc derives on nothing else, and reports what does not parse.
        _ => return diagnostics.left_to_rustc(),
    };
    let mut options = StructureOptions::default();
    let mut outcome = read(&mut options, &structure.attrs, diagnostics);
    let mut fields = Vec::new();
    for (number, field) in (0..).zip(&structure.fields) {
        let mut options = FieldOptions::default();
        outcome = outcome.and(read(&mut options, &field.attrs, diagnostics));
        let member = match &field.ident {
            Some(name) => Member::Named(name.clone()),
            None => Member::Unnamed(syn::Index { index: number, span: first_span(&field.ty) }),
        };
        fields.push(Field { member, options });
    }
    outcome?;
    Ok(Structure { options, ident: structure.ident, generics: structure.generics, fields })
}

fn first_span(tokens: &dyn ToTokens) -> Span {
    tokens.to_token_stream().into_iter().next().map_or_else(Span::call_site, |first| first.span())
}

fn no_structure<T>(keyword: &dyn ToTokens, what: &str, diagnostics: &mut Diagnostics) -> Result<T, Reported> {
    diagnostics
        .error(keyword, format_args!("`#[derive(Resources)]` is for structures, and this is {what}"))
        .help(format_args!("`impl Resources for ..` by hand, which shows the handles that are there"))
        .reported()
}

/// Reads the lists of options in all `#[resources(..)]`.
fn read(options: &mut dyn Options, attributes: &[syn::Attribute], diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for attribute in attributes {
        if attribute.path().is_ident("resources") {
            outcome = outcome.and(match &attribute.meta {
                Meta::List(list) => args::read(options, list.tokens.clone(), diagnostics),
                _ => diagnostics
                    .error(attribute, format_args!("`#[resources]` is given no option"))
                    .help(format_args!("`#[resources(shared, reason = \"..\")]`"))
                    .reported(),
            });
        }
    }
    outcome
}
