//! When the work of an op is done, and whether its section covers it.

use proc_macro2::TokenTree;
use syn::{GenericArgument, PathArguments, Token, Type, TypeParamBound, punctuated::Punctuated};

use super::Op;
use crate::{
    diagnostics::{Diagnostics, Outcome},
    model::{Work, ungrouped},
    ops::Policy,
    source,
};

/// Entering a section is an act of run time.
pub(super) fn section_opens_at_run_time(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    if let (Some(constness), false) = (op.method.constness, op.policy == Policy::Unguarded) {
        return diagnostics
            .error_at(
                constness,
                format_args!("`{}` enters a device access section and cannot be `const`", op.method.ident),
            )
            .help(format_args!("remove `const`, or `#[fop(unguarded, reason = \"..\")]` if it touches no device"))
            .reported();
    }
    Ok(())
}

/// `polled` is for futures, and for those that the section can be put into.
pub(super) fn polled_has_future(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(word) = op.method.options.polled.0 else { return Ok(()) };
    let ident = &op.method.ident;
    if op.policy == Policy::Unguarded {
        return diagnostics
            .error_at(word, format_args!("`{ident}` is unguarded: it opens no section, polled or not"))
            .reported();
    } else if matches!(Work::of(op.method), Work::WithinCall) {
        return diagnostics
            .error_at(word, format_args!("`{ident}` returns no future that could be polled"))
            .help(format_args!("an `async fn`, `-> impl Future<..>` or `-> Pin<Box<dyn Future<..>>>`"))
            .reported();
    }
    Ok(())
}

/// The work of an op is done when it returns, or the op says when its section opens.
pub(super) fn section_covers_the_work(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let (options, ident) = (&op.method.options, &op.method.ident);
    if op.policy == Policy::Unguarded || options.polled.0.is_some() {
        return Ok(());
    }
    if let Some(asyncness) = op.method.asyncness {
        return diagnostics
            .error_at(
                asyncness,
                format_args!("`{ident}` works when it is polled: should its section open then, and sleep with it?"),
            )
            .help(format_args!("`#[fop(polled)]`, with `#[access] hw: &OwnedAccess<..>`, if any"))
            .reported();
    }
    // A policy of its own says that the section is for the call, and that is meant.
    if options.policy().is_some() {
        return Ok(());
    }
    if !may_be_later(&op.method.output.0) {
        return Ok(());
    }
    let Some(returned) = op.method.returns() else { return Ok(()) };
    let Some((work, kind)) = work_in(&returned) else { return Ok(()) };
    let help = match kind {
        Later::Future => "`#[fop(polled)]` while the future is polled, `#[fop(guarded)]` only while it is made",
        Later::Other => "`#[fop(guarded)]` until it returns, or `#[fop(unguarded, reason = \"..\")]`",
    };
    diagnostics
        .error(&work, format_args!("`{ident}` may have work left when it returns: when should its section be open?"))
        .help(format_args!("{help}"))
        .reported()
}

/// What is returned in place of the outcome.
#[derive(Clone, Copy, PartialEq)]
enum Later {
    Future,
    Other,
}

/// Whether a return type is worth to be looked into.
fn may_be_later(trees: &[TokenTree]) -> bool {
    for tree in trees {
        let may_be = match tree {
            TokenTree::Ident(ident) => {
                let name = ident.to_string();
                matches!(name.as_str(), "impl" | "dyn") || name.ends_with("BoxFuture")
            }
            TokenTree::Group(group) => may_be_later(&source::trees(group.stream())),
            _ => false,
        };
        if may_be {
            return true;
        }
    }
    false
}

/// The part of a return type that may have work left: `impl Trait`, `dyn Trait`, `BoxFuture`.
fn work_in(ty: &Type) -> Option<(&Type, Later)> {
    fn kind(bounds: &Bounds) -> Later {
        if has_bound(bounds, &["Future"]) { Later::Future } else { Later::Other }
    }
    let ty = ungrouped(ty);
    match ty {
        Type::ImplTrait(opaque) => Some((ty, kind(&opaque.bounds))),
        Type::TraitObject(object) if !has_bound(&object.bounds, DATA) => Some((ty, kind(&object.bounds))),
        Type::Tuple(tuple) => {
            for ty in &tuple.elems {
                let work = work_in(ty);
                if work.is_some() {
                    return work;
                }
            }
            None
        }
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident.to_string().ends_with("BoxFuture") {
                return Some((ty, Later::Future));
            }
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            for argument in &arguments.args {
                let GenericArgument::Type(ty) = argument else { continue };
                let work = work_in(ty);
                if work.is_some() {
                    return work;
                }
            }
            None
        }
        _ => None,
    }
}

/// The traits of outcomes, such as `Error`.
const DATA: &[&str] = &["Any", "Debug", "Display", "Error", "ToString"];

type Bounds = Punctuated<TypeParamBound, Token![+]>;

/// Whether one of the bounds is a trait of one of these names.
fn has_bound(bounds: &Bounds, names: &[&str]) -> bool {
    for bound in bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        let Some(last) = bound.path.segments.last() else { continue };
        if names.contains(&last.ident.to_string().as_str()) {
            return true;
        }
    }
    false
}

/// An `impl Trait` cannot be asked for its answer: the author gives it, once it is clear that it is wanted.
pub(super) fn opaque_return_has_answer(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let (method, ty) = (op.method, &op.method.output);
    let is_meant = method.options.policy().is_some();
    let is_opaque = is_meant && ty.begins_with("impl") && matches!(Work::of(method), Work::WithinCall);
    if is_opaque && op.policy == Policy::Guarded && method.unplugged(&op.block.options).is_none() {
        return diagnostics
            .error(
                ty,
                format_args!(
                    "what does `{}` answer once the device is gone? an opaque type does not say",
                    method.ident
                ),
            )
            .help(format_args!("`#[fop(unplugged = <expression>)]`"))
            .reported();
    }
    Ok(())
}
