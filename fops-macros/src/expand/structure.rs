//! `impl Resources`: what a structure owns handles by.

use proc_macro2::Span;
use syn::{Member, ext::IdentExt};

use super::{At, Runtime, template::put};
use crate::{
    model::{Field, Structure},
    source::Source,
};

/// The impl of a structure.
pub(crate) fn structure(structure: &Structure) -> Source {
    let Structure { options, ident, generics, fields } = structure;
    let runtime = options.runtime.0.as_ref();
    let here = Span::mixed_site();
    let (mut output, mut shown) = (Source::default(), Source::default());
    for Field { member, options } in fields {
        if options.shared.0.is_some() {
            continue;
        }
        let (name, span) = match member {
            Member::Named(name) => (name.unraw().to_string(), name.span()),
            Member::Unnamed(number) => (number.index.to_string(), number.span),
        };
        let name = format!("{}::{name}", ident.unraw());
        // The place of the call is the place that the field is reported at.
        let here = here.located_at(span);
        let text = "#runtime::__private::Field::new(&self.#member).handles(&mut __handles.of(#name));";
        put!(
            &mut shown,
            here,
            text,
            runtime = Runtime(runtime, here),
            member = Source::of(member),
            name = At(&name, here)
        );
    }
    let (generics, arguments, bounds) = generics.split_for_impl();
    put!(
        &mut output,
        here,
        "#[automatically_derived]
        impl #generics #runtime::Resources for #ident #arguments #bounds {
            fn handles(&self, __handles: &mut #runtime::Handles<'_>) { #shown }
        }",
        generics = Source::of(&generics),
        runtime = Runtime(runtime, here),
        ident,
        arguments = Source::of(&arguments),
        bounds = Source::of(&bounds),
        shown,
    );
    output
}
