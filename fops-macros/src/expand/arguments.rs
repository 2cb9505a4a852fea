//! By-value arguments are bound anew after the guard, so that they are dropped before it.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, FnArg, Pat, PatType, Signature, Type, spanned::Spanned};

use crate::model::{mentions, plain_name, ungrouped};

/// The statements that take over the arguments whose drop may run code. Patterns and `mut` move
/// from the signature to there. An argument that the source of the `section` or of its answers
/// names stays what it is where that is evaluated: before the statements.
pub(super) fn rebind(signature: &mut Signature, section: &TokenStream, answers: &TokenStream) -> TokenStream {
    let mut moved = Vec::new();
    for (position, input) in signature.inputs.iter_mut().enumerate() {
        let FnArg::Typed(parameter) = input else {
            continue;
        };
        let names = |source: &TokenStream| {
            plain_name(&parameter.pat).is_some_and(|name| mentions(source.clone(), &name.to_string()))
        };
        // The guard borrows from the argument that leads to the device: that one cannot move.
        if drops_nothing(&parameter.ty) || names(section) {
            continue;
        }
        let named_in_answer = names(answers);
        moved.push(take(parameter, position, named_in_answer));
    }
    statements(moved)
}

/// An argument on its way into the section.
struct Moved {
    conditions: Vec<Attribute>,
    /// What it is called in the signature.
    from: Ident,
    /// What binds it after the guard.
    to: TokenStream,
    /// The author's pattern, to be matched there.
    pattern: Option<Pat>,
}

/// Leaves a plain name in the signature.
fn take(parameter: &mut PatType, position: usize, named_in_answer: bool) -> Moved {
    let here = Span::mixed_site();
    let conditions = parameter.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    let conditions = conditions.cloned().collect();
    let ours = |prefix: &str, span: Span| Ident::new(&format!("{prefix}{position}"), here.located_at(span));
    match &mut *parameter.pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => {
            let (mutability, name) = (pat.mutability.take(), pat.ident.clone());
            // To use a name with an underscore is a lint's business, so it is used as ours.
            if name.to_string().starts_with('_') && !named_in_answer {
                pat.ident.set_span(here.located_at(name.span()));
            }
            Moved { conditions, from: pat.ident.clone(), to: quote!(#mutability #name), pattern: None }
        }
        Pat::Wild(wild) => {
            let name = ours("_arg", wild.span());
            *parameter.pat = binding(&name);
            Moved { conditions, from: name.clone(), to: name.to_token_stream(), pattern: None }
        }
        pattern => {
            let name = ours("arg", pattern.span());
            let pattern = std::mem::replace(pattern, binding(&name));
            Moved { conditions, from: name.clone(), to: name.to_token_stream(), pattern: Some(pattern) }
        }
    }
}

fn binding(name: &Ident) -> Pat {
    Pat::Ident(syn::PatIdent { attrs: Vec::new(), by_ref: None, mutability: None, ident: name.clone(), subpat: None })
}

/// One `let` for all of them, one more for each pattern, and single ones under a `#[cfg]`.
fn statements(moved: Vec<Moved>) -> TokenStream {
    let here = Span::mixed_site();
    let (always, sometimes): (Vec<_>, Vec<_>) = moved.iter().partition(|moved| moved.conditions.is_empty());
    let mut output = binding_anew(&always);
    for one in sometimes {
        let (conditions, binding) = (&one.conditions, binding_anew(&[one]));
        output.extend(quote!(#(#conditions)* #binding));
    }
    for Moved { conditions, from, pattern, .. } in &moved {
        if let Some(pattern) = pattern {
            output.extend(quote_spanned!(here=> #(#conditions)* let #pattern = #from;));
        }
    }
    output
}

/// `let a = a;` or `let (a, b) = (a, b);`.
///
/// `let _a = _a;` by itself would look to clippy as if it had no effect; in a tuple it does not.
fn binding_anew(moved: &[&Moved]) -> TokenStream {
    let here = Span::mixed_site();
    let (to, from): (Vec<_>, Vec<_>) = moved.iter().map(|moved| (&moved.to, &moved.from)).unzip();
    match &from[..] {
        [] => TokenStream::new(),
        [name] if name.to_string().starts_with('_') => quote_spanned!(here=> let (#(#to,)*) = (#(#from,)*);),
        [_] => quote_spanned!(here=> let #(#to)* = #(#from)*;),
        _ => quote_spanned!(here=> let (#(#to),*) = (#(#from),*);),
    }
}

/// Whether the drop of this type runs no code, as far as its syntax tells.
fn drops_nothing(ty: &Type) -> bool {
    const PRIMITIVES: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize",
    ];
    match ungrouped(ty) {
        Type::Reference(_) | Type::Ptr(_) | Type::FnPtr(_) | Type::Never(_) => true,
        Type::Tuple(tuple) => tuple.elems.iter().all(drops_nothing),
        Type::Path(path) => {
            let name = path.path.get_ident();
            name.is_some_and(|name| PRIMITIVES.iter().any(|primitive| name == primitive))
        }
        _ => false,
    }
}
