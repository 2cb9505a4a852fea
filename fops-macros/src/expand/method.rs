//! One method: its signature as the trait wants it, the guard, and the body as it was written.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt};

use super::{Runtime, arguments, body::enclose, future::Work, section::Section, template::write};
use crate::{
    model::{Block, Input, InputKind, Method, Parameter},
    ops::Policy,
    source::Attribute,
};

/// The method with a guard in front of its body.
pub(super) fn expand(block: &Block, method: &Method, descriptor: &dyn ToTokens, output: &mut TokenStream) {
    let work = Work::of(method);
    let policy = method.policy(&block.options);
    let consumes_device = method.consumes_device(&block.options);
    let section = match policy {
        Ok(Policy::Always) if consumes_device => None,
        Ok(Policy::Guarded | Policy::Always) if method.sound => Section::of(block, method, &work, descriptor),
        _ => None,
    };
    let mut moved = Vec::new();
    let body = match section {
        Some(section) => {
            moved = arguments::to_rebind(block, method, &section.source);
            let mut opening = TokenStream::new();
            section.open(policy.ok() == Some(Policy::Always), &mut opening);
            arguments::rebind(&moved, &mut opening);
            work.enclose(opening, &method.body)
        }
        None if method.access.is_empty() && method.device.is_empty() => method.body.clone(),
        None => enclose(placeholders(block, method), &method.body),
    };

    all(&method.attributes, output);
    method.qualifiers.to_tokens(output);
    output.append(method.ident.clone());
    method.generics.to_tokens(output);
    let mut inputs = TokenStream::new();
    for (position, Input { kind, comma }) in method.inputs.iter().enumerate() {
        match kind {
            InputKind::Receiver(receiver) => {
                all(&receiver.attributes, &mut inputs);
                receiver.written.to_tokens(&mut inputs);
            }
            InputKind::Parameter(Parameter { attributes, pattern, colon, ty }) => {
                all(attributes, &mut inputs);
                match moved.iter().find(|moved| moved.position == position) {
                    Some(moved) => inputs.append(moved.from.clone()),
                    None => pattern.to_tokens(&mut inputs),
                }
                inputs.append(colon.clone());
                ty.to_tokens(&mut inputs);
            }
            InputKind::Other(source) => source.to_tokens(&mut inputs),
        }
        if let Some(comma) = comma {
            inputs.append(comma.clone());
        }
    }
    let mut parentheses = Group::new(Delimiter::Parenthesis, inputs);
    parentheses.set_span(method.parentheses.span());
    output.append(TokenTree::Group(parentheses));
    method.arrow.to_tokens(output);
    method.output.to_tokens(output);
    method.where_clause.to_tokens(output);
    output.append(TokenTree::Group(body));
}

fn all(attributes: &[Attribute], output: &mut TokenStream) {
    for attribute in attributes {
        attribute.to_tokens(output);
    }
}

/// For a method that an error was found in: what is lent by type only, so that its body means what it means
/// to the author.
fn placeholders(block: &Block, method: &Method) -> TokenStream {
    let here = Span::mixed_site();
    let runtime = Runtime::of(&block.options).at(here);
    let mut bindings = TokenStream::new();
    for Parameter { attributes, pattern, ty, .. } in method.access.iter().chain(&method.device) {
        all(attributes, &mut bindings);
        write(&mut bindings, here, "let $: $ = $::__private::any();", &[pattern, ty, &runtime]);
    }
    bindings
}
