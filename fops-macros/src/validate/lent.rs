//! What an op is lent: the access to the resources, and the device where that is looked up.

use proc_macro2::TokenTree;

use super::Op;
use crate::{
    diagnostics::{Diagnostics, Outcome, written},
    model::{Method, is_option},
    ops::Policy,
    source::{Source, flat, is_punct},
};

/// One guard covers the whole op, so there is one access.
pub(super) fn access_is_one(method: &Method, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for again in method.access.get(1..).unwrap_or_default() {
        outcome = diagnostics
            .error(
                &again.pattern,
                format_args!("`{}` has an `#[access]` already, one covers the whole operation", method.ident),
            )
            .reported();
    }
    outcome
}

/// Guarded ops have the access, those that run always may have it, unguarded ones never do.
pub(super) fn access_fits_policy(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let ident = &op.method.ident;
    let Some(access) = op.method.access.first() else { return Ok(()) };
    let ty = &access.ty;
    if op.policy != Policy::Unguarded {
        access_is_shared(op, diagnostics)?;
    }
    match (op.policy, is_option(ty)) {
        (Policy::Guarded, false) | (Policy::Always, true) => {}
        (Policy::Guarded, true) => {
            return diagnostics
                .error(ty, format_args!("`{ident}` is guarded: it runs only while there is access"))
                .help(format_args!("`&Access<'_, ..>` without `Option`, or `#[fop(always)]` to run after unplug too"))
                .reported();
        }
        (Policy::Always, false) => {
            return diagnostics
                .error(ty, format_args!("`{ident}` runs after unplug too, when there is no access"))
                .help(format_args!("`Option<{}>`", written(ty)))
                .reported();
        }
        (Policy::Unguarded, _) => {
            return diagnostics
                .error(
                    &access.pattern,
                    format_args!("`{ident}` is unguarded and has no access to the device's resources"),
                )
                .help(format_args!("`#[fop(guarded)]`, or `#[fop(always)]` with an `Option`"))
                .reported();
        }
    }
    Ok(())
}

/// An access is lent, and not to be changed.
fn access_is_shared(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(access) = op.method.access.first() else { return Ok(()) };
    let ident = &op.method.ident;
    let ty = flat(&access.ty.0);
    let (ty, is_optional) = match is_option(&access.ty) {
        // `Option<..>`: what stands between the first `<` and the last token.
        true => {
            let mut begin = 0;
            while begin < ty.len() && !is_punct(ty.get(begin), '<') {
                begin += 1;
            }
            let begin = ty.len().min(begin + 1);
            (ty.get(begin..ty.len() - 1).unwrap_or_default(), true)
        }
        false => (&ty[..], false),
    };
    let in_option = |ty: String| if is_optional { format!("Option<{ty}>") } else { ty };
    if !is_punct(ty.first(), '&') {
        let ty = Source(ty.to_vec());
        if !ty.path_name().is_some_and(|name| name == "Access" || name == "OwnedAccess") {
            return Ok(());
        }
        return diagnostics
            .error(&access.ty, format_args!("the access is lent to `{ident}`, its section keeps it"))
            .help(format_args!("`{}`", in_option(format!("&{}", written(&ty)))))
            .reported();
    }
    // Behind a lifetime, perhaps.
    let after = if is_punct(ty.get(1), '\'') { 3 } else { 1 };
    if matches!(ty.get(after), Some(TokenTree::Ident(word)) if word == "mut") {
        let mut shared = ty.to_vec();
        shared.remove(after);
        return diagnostics
            .error(&access.ty, format_args!("operations share the resources: `{ident}` cannot have them for itself"))
            .help(format_args!(
                "`{}`, and a lock around what changes in the resources",
                in_option(written(&Source(shared)))
            ))
            .reported();
    }
    Ok(())
}

/// An access that sleeps with a future is owned, and one of the calling thread is not.
pub(super) fn access_fits_work(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(access) = op.method.access.first() else { return Ok(()) };
    let (ident, ty) = (&op.method.ident, &access.ty);
    let is_polled = op.method.options.polled.0.is_some();
    let (wrong, right, why) = match is_polled {
        true => ("Access", "OwnedAccess<..>", "sleeps with its section, which may move to another thread"),
        false => ("OwnedAccess", "Access<'_, ..>", "is done when it returns: its section is this thread's"),
    };
    if ty.mentions(wrong) {
        return diagnostics
            .error(ty, format_args!("`{ident}` {why}"))
            .help(format_args!("`#[access] hw: &{right}`"))
            .reported();
    } else if op.method.generics_of_async_trait() {
        return diagnostics
            .error(
                &access.pattern,
                format_args!("`#[async_trait]` has rewritten `{ident}` already, and the access with it"),
            )
            .help(format_args!("`#[guarded_fops(..)]` above `#[async_trait]`"))
            .reported();
    }
    Ok(())
}

/// There is one device, too.
pub(super) fn device_is_one(method: &Method, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for again in method.device.get(1..).unwrap_or_default() {
        outcome =
            diagnostics.error(&again.pattern, format_args!("`{}` has a `#[device]` already", method.ident)).reported();
    }
    outcome
}

/// A device is lent where it is not `self` already.
pub(super) fn device_is_looked_up(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(device) = op.method.device.first() else { return Ok(()) };
    let ident = &op.method.ident;
    if op.policy == Policy::Unguarded {
        return diagnostics
            .error(&device.pattern, format_args!("`{ident}` is unguarded and does not look for its device"))
            .reported();
    } else if op.method.via(&op.block.options).is_none() && op.method.receiver().is_some() {
        return diagnostics
            .error(&device.pattern, format_args!("`self` is the device of `{ident}`, no other is looked up"))
            .help(format_args!("`via = <expression>` says where the device is, if not in `self`"))
            .reported();
    }
    Ok(())
}

/// An op that always runs may be without a device, where that may be missing.
pub(super) fn device_fits_policy(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(device) = op.method.device.first() else { return Ok(()) };
    let (ident, ty) = (&op.method.ident, &device.ty);
    let may_be_missing = op.method.not_found(&op.block.options).is_some();
    match (op.policy, is_option(ty)) {
        (Policy::Always, false) if may_be_missing => {
            return diagnostics
                .error(ty, format_args!("`{ident}` always runs, where its device is not found too"))
                .help(format_args!("`Option<{}>`", written(ty)))
                .reported();
        }
        (Policy::Guarded, true) => {
            return diagnostics
                .error(ty, format_args!("`{ident}` is guarded: it runs only where there is a device"))
                .help(format_args!("`&<Type>` without `Option`"))
                .reported();
        }
        _ => {}
    }
    Ok(())
}
