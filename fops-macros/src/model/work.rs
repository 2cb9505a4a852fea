//! When the work of a method is done: what its section has to cover.

use syn::{AssocType, GenericArgument, Path, PathArguments, Token, Type, TypeParamBound, punctuated::Punctuated};

use super::{Method, ungrouped};
use crate::source::Source;

/// When the work of a method is done.
pub(crate) enum Work {
    /// Before it returns: the section is one of the calling thread.
    WithinCall,
    /// `async fn`, opted in: while its body runs, which is when it is polled.
    Async,
    /// By the future that is returned, opted in.
    Returned {
        /// What the future is made into, where that is a `Pin<Box<..>>`: the path of that `Box`.
        boxed: Option<Path>,
        /// What it comes to.
        output: Option<Source>,
    },
}

impl Work {
    /// Whether the method is one that `polled` can stand on.
    pub(crate) fn is_of_future(method: &Method) -> bool {
        method.asyncness.is_some() || method.returns().as_ref().and_then(returned_future).is_some()
    }

    /// When the work of this method is done, going by its options and its signature.
    pub(crate) fn of(method: &Method) -> Self {
        if method.options.polled.0.is_none() {
            return Self::WithinCall;
        }
        if method.asyncness.is_some() {
            return Self::Async;
        }
        match method.returns().as_ref().and_then(returned_future) {
            Some((boxed, output)) => Self::Returned { boxed, output },
            None => Self::WithinCall,
        }
    }
}

/// Of `impl Future<Output = T>` and `Pin<Box<dyn Future<Output = T>>>`: the path of the `Box`, and `T`.
fn returned_future(ty: &Type) -> Option<(Option<Path>, Option<Source>)> {
    match ungrouped(ty) {
        Type::ImplTrait(opaque) => Some((None, output(future(&opaque.bounds)?))),
        Type::Path(pin) => {
            let Type::Path(boxed) = ungrouped(only_argument(&pin.path, "Pin")?) else { return None };
            let Type::TraitObject(object) = ungrouped(only_argument(&boxed.path, "Box")?) else { return None };
            let mut path = boxed.path.clone();
            path.segments.last_mut()?.arguments = PathArguments::None;
            Some((Some(path), output(future(&object.bounds)?)))
        }
        _ => None,
    }
}

/// The bound that says `Future`.
fn future(bounds: &Punctuated<TypeParamBound, Token![+]>) -> Option<&Path> {
    for bound in bounds {
        let TypeParamBound::Trait(bound) = bound else { continue };
        if bound.path.segments.last()?.ident == "Future" {
            return Some(&bound.path);
        }
    }
    None
}

fn output(future: &Path) -> Option<Source> {
    let PathArguments::AngleBracketed(arguments) = &future.segments.last()?.arguments else { return None };
    for argument in &arguments.args {
        match argument {
            GenericArgument::AssocType(AssocType { ident, ty, .. }) if ident == "Output" => {
                return Some(Source::of(ty));
            }
            _ => {}
        }
    }
    None
}

/// `T` of `path::name<T>`.
fn only_argument<'a>(path: &'a Path, name: &str) -> Option<&'a Type> {
    let last = path.segments.last()?;
    if last.ident != name {
        return None;
    }
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.first()? {
        GenericArgument::Type(ty) if arguments.args.len() == 1 => Some(ty),
        _ => None,
    }
}
