//! The rules, one function each. Every rule looks at every op; none stops at an error.

use proc_macro2::Span;
use syn::{FnArg, Type, TypeParamBound};

use crate::{
    diagnostics::{Diagnostics, written},
    model::{Block, Item, Method, NoPolicy, is_option, ungrouped},
    ops::Policy,
    parse,
};

/// A method whose policy is known, in its block.
struct Op<'a> {
    block: &'a Block,
    method: &'a Method,
    policy: Policy,
}

const BLOCK_RULES: &[fn(&Block, &mut Diagnostics)] = &[attribute_stands_once, lifetime_is_given, resources_are_known];

const METHOD_RULES: &[fn(&Method, &mut Diagnostics)] = &[policy_is_one, access_is_one];

const OP_RULES: &[fn(&Op, &mut Diagnostics)] = &[
    unguarded_has_reason,
    reason_has_unguarded,
    options_have_effect,
    access_fits_policy,
    section_can_open,
    section_opens_at_run_time,
    section_covers_the_work,
    opaque_return_has_answer,
];

/// Applies all rules; methods that break one are marked unsound.
pub(crate) fn validate(block: &mut Block, diagnostics: &mut Diagnostics) {
    for rule in BLOCK_RULES {
        rule(block, diagnostics);
    }
    let sound: Vec<bool> = block
        .methods()
        .map(|method| {
            let before = diagnostics.count();
            METHOD_RULES.iter().for_each(|rule| rule(method, diagnostics));
            // What could not be read, or is said twice, may have been the policy: the rest depends on it.
            let is_clear = method.sound && diagnostics.count() == before;
            if is_clear && let Some(policy) = policy(block, method, diagnostics) {
                let op = Op { block, method, policy };
                OP_RULES.iter().for_each(|rule| rule(&op, diagnostics));
            }
            diagnostics.count() == before
        })
        .collect();
    let methods = block.items.iter_mut().filter_map(|item| match item {
        Item::Method(method) => Some(method),
        Item::Other(_) => None,
    });
    for (method, sound) in methods.zip(sound) {
        method.sound &= sound;
    }
}

/// The impl has one `#[guarded_fops]`.
fn attribute_stands_once(block: &Block, diagnostics: &mut Diagnostics) {
    for again in &block.attributes {
        if parse::is(again, "guarded_fops") {
            diagnostics
                .error(again, "a second `#[guarded_fops]` on this block")
                .help("one `#[guarded_fops(..)]` takes all options");
        }
    }
}

/// `lifetime` is given.
fn lifetime_is_given(block: &Block, diagnostics: &mut Diagnostics) {
    if block.options.lifetime.is_none() && block.options_are_sound {
        diagnostics
            .error_at(
                Span::call_site(),
                format_args!("`lifetime` is missing: where does `{}` keep its `DeviceLifetime`?", block.type_name()),
            )
            .help("`#[guarded_fops(lifetime = <field>)]`");
    }
}

/// What `unplug` hands back has a type.
fn resources_are_known(block: &Block, diagnostics: &mut Diagnostics) {
    if let (Some(unplug), None, true) = (&block.options.unplug, block.resources(), block.options_are_sound) {
        diagnostics
            .error_at(unplug.span, "no `#[access] hw: &Access<'_, ..>` says what type `unplug` hands back")
            .help("`#[guarded_fops(resources = <type>, ..)]`");
    }
}

/// Every method has a policy.
fn policy(block: &Block, method: &Method, diagnostics: &mut Diagnostics) -> Option<Policy> {
    let ident = &method.signature.ident;
    match method.policy(&block.options) {
        Ok(policy) => return Some(policy),
        // What could not be read may have been the default.
        Err(NoPolicy::Unknown) if !block.options_are_sound => {}
        Err(NoPolicy::Unknown) => {
            diagnostics
                .error(ident, format_args!("`{ident}` is not known by name and needs a policy"))
                .help("`#[fop(guarded)]`, or `default = guarded` for all such methods of the block");
        }
        Err(NoPolicy::Release) => {
            diagnostics
                .error(ident, format_args!("`{ident}` sounds like a release, which must not be skipped after unplug"))
                .help("`#[fop(always)]`, or `#[fop(guarded)]` if it may be skipped");
        }
    }
    None
}

/// `guarded`, `always` and `unguarded` exclude each other.
fn policy_is_one(method: &Method, diagnostics: &mut Diagnostics) {
    let ident = &method.signature.ident;
    for (_, span) in method.options.policies().skip(1) {
        diagnostics
            .error_at(span, format_args!("`{ident}` is given a second policy"))
            .help("one of `guarded`, `always` and `unguarded`");
    }
}

/// An unguarded op says why that is sound.
fn unguarded_has_reason(op: &Op, diagnostics: &mut Diagnostics) {
    let unguarded = op.method.options.policies().find(|(policy, _)| *policy == Policy::Unguarded);
    let Some((_, word)) = unguarded else { return };
    let example = "`#[fop(unguarded, reason = \"touches no device resources\")]`";
    match &op.method.options.reason {
        None => {
            diagnostics
                .error_at(word, "an unguarded operation runs on during and after unplug: why is that sound?")
                .help(example);
        }
        Some(reason) if reason.0.value().trim().is_empty() => {
            diagnostics.error(&reason.0, "an empty reason convinces no reviewer").help(example);
        }
        Some(_) => {}
    }
}

/// A reason is for an unguarded op.
fn reason_has_unguarded(op: &Op, diagnostics: &mut Diagnostics) {
    if let (Some(reason), false) = (&op.method.options.reason, op.policy == Policy::Unguarded) {
        diagnostics
            .error(
                &reason.0,
                format_args!("only an unguarded operation needs a reason, `{}` is guarded", op.method.signature.ident),
            )
            .help("`#[fop(unguarded, reason = \"..\")]`, or no reason");
    }
}

/// `unplugged` is for guarded ops, `via` for those that enter at all.
fn options_have_effect(op: &Op, diagnostics: &mut Diagnostics) {
    let (options, ident) = (&op.method.options, &op.method.signature.ident);
    if let (Some(answer), false) = (&options.unplugged, op.policy == Policy::Guarded) {
        diagnostics
            .error(&answer.0, format_args!("`{ident}` runs after unplug too, and needs no other answer"))
            .help("remove `unplugged`, or make the operation `guarded`");
    }
    if let (Some(via), Policy::Unguarded) = (&options.via, op.policy) {
        diagnostics.error(&via.0, format_args!("`{ident}` is unguarded and does not look for the device's lifetime"));
    }
}

/// One guard covers the whole op, so there is one access.
fn access_is_one(method: &Method, diagnostics: &mut Diagnostics) {
    for again in method.access.iter().skip(1) {
        diagnostics.error(
            &again.pat,
            format_args!("`{}` has an `#[access]` already, one covers the whole operation", method.signature.ident),
        );
    }
}

/// Guarded ops have the access, those that run always may have it, unguarded ones never do.
fn access_fits_policy(op: &Op, diagnostics: &mut Diagnostics) {
    let ident = &op.method.signature.ident;
    let Some(access) = op.method.access.first() else { return };
    let ty = &*access.ty;
    match (op.policy, is_option(ty)) {
        (Policy::Guarded, false) | (Policy::Always, true) => {}
        (Policy::Guarded, true) => {
            diagnostics
                .error(ty, format_args!("`{ident}` is guarded: it runs only while there is access"))
                .help("`&Access<'_, ..>` without `Option`, or `#[fop(always)]` to run after unplug too");
        }
        (Policy::Always, false) => {
            diagnostics
                .error(ty, format_args!("`{ident}` runs after unplug too, when there is no access"))
                .help(format_args!("`Option<{}>`", written(ty)));
        }
        (Policy::Unguarded, _) => {
            diagnostics
                .error(&access.pat, format_args!("`{ident}` is unguarded and has no access to the device's resources"))
                .help("`#[fop(guarded)]`, or `#[fop(always)]` with an `Option`");
        }
    }
}

/// There is something to reach the lifetime through.
fn section_can_open(op: &Op, diagnostics: &mut Diagnostics) {
    let signature = &op.method.signature;
    let via = op.method.options.via.as_ref().or(op.block.options.via.as_ref());
    if signature.receiver().is_some() || via.is_some() || op.policy == Policy::Unguarded {
        return;
    }
    let parameter = signature.inputs.iter().find_map(|input| match input {
        FnArg::Typed(parameter) => crate::model::plain_name(&parameter.pat),
        FnArg::Receiver(_) => None,
    });
    let via = parameter.map_or("<parameter>".into(), ToString::to_string);
    diagnostics
        .error(
            &signature.ident,
            format_args!("`{}` has no `self` to reach the device's lifetime through", signature.ident),
        )
        .help(format_args!("`#[fop(via = {via})]`, if that leads to the device"));
}

/// Entering a section is an act of run time.
fn section_opens_at_run_time(op: &Op, diagnostics: &mut Diagnostics) {
    if let (Some(constness), false) = (op.method.signature.constness, op.policy == Policy::Unguarded) {
        diagnostics.error(
            constness,
            format_args!("`{}` enters a device access section and cannot be `const`", op.method.signature.ident),
        );
    }
}

/// The work of an op ends when it returns: a future's does not.
fn section_covers_the_work(op: &Op, diagnostics: &mut Diagnostics) {
    if op.policy == Policy::Unguarded {
        return;
    }
    let ident = &op.method.signature.ident;
    let help = "let it return when its work is done, or `#[fop(unguarded, reason = \"..\")]`";
    if let Some(asyncness) = op.method.signature.asyncness {
        diagnostics
            .error(
                asyncness,
                format_args!(
                    "async operations are not supported yet: the section of `{ident}` would end before its work"
                ),
            )
            .help(help);
    } else if let Some(future) = op.method.returns().and_then(future_in) {
        diagnostics
            .error(
                future,
                format_args!("async operations are not supported yet: the section of `{ident}` would end before the future that it returns"),
            )
            .help(help);
    }
}

/// The part of a return type that is a future: `impl Future`, `dyn Future`, boxed or not.
fn future_in(ty: &Type) -> Option<&dyn quote::ToTokens> {
    fn is_future(bound: &TypeParamBound) -> bool {
        matches!(bound, TypeParamBound::Trait(bound)
            if bound.path.segments.last().is_some_and(|last| last.ident == "Future"))
    }
    match ungrouped(ty) {
        Type::ImplTrait(opaque) if opaque.bounds.iter().any(is_future) => Some(ty),
        Type::TraitObject(object) if object.bounds.iter().any(is_future) => Some(ty),
        Type::Path(path) => {
            let last = path.path.segments.last()?;
            if last.ident.to_string().ends_with("BoxFuture") {
                return Some(ty);
            }
            let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
                return None;
            };
            arguments.args.iter().find_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => future_in(ty),
                _ => None,
            })
        }
        _ => None,
    }
}

/// An `impl Trait` cannot be asked for its answer: the author gives it.
fn opaque_return_has_answer(op: &Op, diagnostics: &mut Diagnostics) {
    let Some(ty) = op.method.returns() else { return };
    let is_opaque = matches!(ungrouped(ty), Type::ImplTrait(_)) && future_in(ty).is_none();
    if is_opaque && op.policy == Policy::Guarded && op.method.unplugged(&op.block.options).is_none() {
        diagnostics
            .error(
                ty,
                format_args!(
                    "what does `{}` answer once the device is gone? an opaque type does not say",
                    op.method.signature.ident
                ),
            )
            .help("`#[fop(unplugged = <expression>)]`");
    }
}
