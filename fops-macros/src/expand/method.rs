//! One method: its signature as the trait wants it, the guard, and the body as it was written.

use proc_macro2::{Delimiter, Group, Span, TokenTree};

use super::{Runtime, arguments, body::enclose, future, section::Section, template::put};
use crate::{
    model::{Block, Input, InputKind, Method, Parameter, Work},
    ops::Policy,
    source::{Part, Source},
};

/// The method with a guard in front of its body.
pub(super) fn expand(block: &Block, method: &Method, descriptor: &Source, output: &mut Source) {
    let work = Work::of(method);
    let policy = method.policy(block);
    let consumes_device = method.consumes_device(&block.options);
    let section = match policy {
        Ok(Policy::Always) if consumes_device => None,
        Ok(Policy::Guarded | Policy::Always) if method.outcome.is_ok() => Section::of(block, method, &work, descriptor),
        _ => None,
    };
    let mut moved = Vec::new();
    let body = match section {
        Some(section) => {
            moved = arguments::to_rebind(block, method, &section.source);
            let mut opening = Source::default();
            section.open(policy.ok() == Some(Policy::Always), &mut opening);
            arguments::rebind(&moved, &mut opening);
            future::enclose(&work, opening, &method.body)
        }
        None if method.access.is_empty() && method.device.is_empty() => method.body.clone(),
        None => enclose(placeholders(block, method), &method.body),
    };

    method.attributes.put(output);
    method.qualifiers.put(output);
    method.ident.put(output);
    method.generics.put(output);
    let (mut inputs, mut rest) = (Source::default(), &moved[..]);
    for (position, Input { kind, comma }) in method.inputs.iter().enumerate() {
        match kind {
            InputKind::Receiver(receiver) => {
                receiver.attributes.put(&mut inputs);
                receiver.written.put(&mut inputs);
            }
            InputKind::Parameter(Parameter { attributes, pattern, colon, ty }) => {
                attributes.put(&mut inputs);
                // The moved arguments are in the order of the inputs.
                match rest.first() {
                    Some(moved) if moved.position == position => {
                        moved.from.put(&mut inputs);
                        rest = &rest[1..];
                    }
                    _ => pattern.put(&mut inputs),
                }
                colon.put(&mut inputs);
                ty.put(&mut inputs);
            }
            InputKind::Other(source) if source.0.is_empty() => continue,
            InputKind::Other(source) => source.put(&mut inputs),
        }
        if let Some(comma) = comma {
            comma.put(&mut inputs);
        }
    }
    let mut parentheses = Group::new(Delimiter::Parenthesis, inputs.into_stream());
    parentheses.set_span(method.parentheses.span());
    if method.is_broken() && method.access.is_empty() && method.device.is_empty() {
        // rustc has reported it already, and recognises the same error in the same parentheses.
        parentheses = method.parentheses.clone();
    }
    output.0.push(TokenTree::Group(parentheses));
    method.arrow.put(output);
    method.output.put(output);
    method.where_clause.put(output);
    output.0.push(TokenTree::Group(body));
}

/// For a method that an error was found in: what is lent by type only, so that its body means what it means
/// to the author.
fn placeholders(block: &Block, method: &Method) -> Source {
    let here = Span::mixed_site();
    let runtime = Runtime::of(&block.options).at(here);
    let mut bindings = Source::default();
    let mut bind = |lent: &[Parameter]| {
        for Parameter { attributes, pattern, ty, .. } in lent {
            attributes.put(&mut bindings);
            put!(&mut bindings, here, "let #pattern: #ty = #runtime::__private::any();", pattern, ty, runtime);
        }
    };
    bind(&method.access);
    bind(&method.device);
    bindings
}
