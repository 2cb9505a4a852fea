//! The rules, one function each. Every rule looks at every op; none stops at an error.

mod lent;
#[cfg(test)]
mod tests;
mod work;

use proc_macro2::Span;
use syn::{Expr, ExprLit, Lit};

use crate::{
    args::{Code, Hook, Reason},
    diagnostics::{Diagnostics, Outcome, Reported, written},
    model::{Block, InputKind, Method, NoPolicy, Work, bare, makes_value, plain_name},
    ops::Policy,
};

/// A method whose policy is known, in its block.
struct Op<'a> {
    block: &'a Block,
    method: &'a Method,
    policy: Policy,
}

const BLOCK_RULES: &[fn(&Block, &mut Diagnostics) -> Outcome] = &[
    attribute_stands_once,
    lifetime_is_given,
    resources_are_known,
    unplug_is_of_one_device,
    unplug_is_one,
    lookup_can_fail,
];

const METHOD_RULES: &[fn(&Method, &mut Diagnostics) -> Outcome] =
    &[policy_is_one, lent::access_is_one, lent::device_is_one];

const OP_RULES: &[fn(&Op, &mut Diagnostics) -> Outcome] = &[
    unguarded_has_reason,
    reason_has_unguarded,
    options_have_effect,
    stay_is_one,
    lent::access_fits_policy,
    lent::access_fits_work,
    lent::device_is_looked_up,
    lent::device_fits_policy,
    section_can_open,
    work::section_opens_at_run_time,
    work::polled_has_future,
    work::section_covers_the_work,
    work::opaque_return_has_answer,
];

/// Applies all rules.
pub(crate) fn validate(mut block: Block, diagnostics: &mut Diagnostics) -> Block {
    let _ = hooks_are_no_operations(&mut block, diagnostics);
    // What is wrong with the block as a whole does not keep its methods from being expanded.
    let _ = all(BLOCK_RULES, &block, diagnostics);
    for index in 0..block.methods.len() {
        block.methods[index].outcome = validate_method(&block, &block.methods[index], diagnostics);
    }
    block
}

fn validate_method(block: &Block, method: &Method, diagnostics: &mut Diagnostics) -> Outcome {
    // What could not be read, or is said twice, may have been the policy: the rest depends on it.
    all(METHOD_RULES, method, diagnostics).and(method.outcome)?;
    let policy = policy(block, method, diagnostics)?;
    all(OP_RULES, &Op { block, method, policy }, diagnostics)
}

/// Applies each of the rules, also after an error.
fn all<T>(rules: &[fn(&T, &mut Diagnostics) -> Outcome], to: &T, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for rule in rules {
        outcome = outcome.and(rule(to, diagnostics));
    }
    outcome
}

/// A `#[fop]` that no `#[guarded_fops]` took away does nothing.
pub(crate) fn fop_is_in_a_block(diagnostics: &mut Diagnostics) -> Outcome {
    diagnostics
        .error_at(
            Span::call_site(),
            format_args!("`#[fop]` does nothing outside an impl block under `#[guarded_fops]`"),
        )
        .help(format_args!("`#[guarded_fops(lifetime = <field>)]` on the impl block"))
        .reported()
}

/// The impl has one `#[guarded_fops]`.
fn attribute_stands_once(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for again in &block.attributes {
        if again.is("guarded_fops") {
            outcome = diagnostics
                .error(again, format_args!("a second `#[guarded_fops]` on this block"))
                .help(format_args!("one `#[guarded_fops(..)]` takes all options"))
                .reported();
        }
    }
    outcome
}

/// `lifetime` is given, as source: a string says nothing to rustc.
fn lifetime_is_given(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = leads_to_lifetime("lifetime", block.options.lifetime.as_ref(), diagnostics);
    outcome = outcome.and(leads_to_lifetime("via", block.options.via.as_ref(), diagnostics));
    for method in &block.methods {
        outcome = outcome.and(leads_to_lifetime("via", method.options.via.as_ref(), diagnostics));
    }
    if block.options.lifetime.is_none() && block.options_read.is_ok() {
        return diagnostics
            .error_at(
                Span::call_site(),
                format_args!("`lifetime` is missing: where does `{}` keep its `DeviceLifetime`?", block.type_name()),
            )
            .help(format_args!("`#[guarded_fops(lifetime = <field>)]`"))
            .reported();
    }
    outcome
}

fn leads_to_lifetime(name: &str, code: Option<&Code>, diagnostics: &mut Diagnostics) -> Outcome {
    match code.map(|code| bare(&code.expression)) {
        // The field of a tuple struct.
        Some(Expr::Lit(ExprLit { lit: Lit::Int(field), .. })) if name == "lifetime" && field.suffix().is_empty() => {}
        Some(Expr::Lit(ExprLit { lit: Lit::Str(text), .. })) => {
            return diagnostics
                .error(text, format_args!("`{name}` is source, not a string"))
                .help(format_args!("`{name} = {}`", text.value()))
                .reported();
        }
        Some(literal @ Expr::Lit(_)) => {
            return diagnostics
                .error(literal, format_args!("a literal does not lead to a device's lifetime"))
                .help(format_args!("`{name} = <expression>`"))
                .reported();
        }
        _ => {}
    }
    Ok(())
}

/// What `unplug` hands back has a type.
fn resources_are_known(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let is_due = block.options_read.is_ok() && block.resources().is_none();
    if let (Some(unplug), true) = (&block.options.unplug, is_due) {
        // Another name for the type of the access, perhaps.
        for method in &block.methods {
            let Some(access) = method.access.first() else { continue };
            let ty = written(&access.ty);
            return diagnostics
                .error(&access.ty, format_args!("`{ty}` does not say what type `unplug` hands back"))
                .help(format_args!("`&Access<'_, <type>>`, or `#[guarded_fops(resources = <type>, ..)]`"))
                .reported();
        }
        return diagnostics
            .error_at(
                unplug.span,
                format_args!("no `#[access] hw: &Access<'_, ..>` says what type `unplug` hands back"),
            )
            .help(format_args!("`#[guarded_fops(resources = <type>, ..)]`"))
            .reported();
    }
    Ok(())
}

/// `unplug` is of the device that `self` is.
fn unplug_is_of_one_device(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(asked) = &block.options.unplug else { return Ok(()) };
    if block.looks_up() {
        return diagnostics
            .error_at(
                asked.span,
                format_args!("this block looks a device up for each request: which one would `unplug` unplug?"),
            )
            .help(format_args!(
                "`unplug(..)` belongs on a block of the device's own type; its lifetime has `begin_unplug` too"
            ))
            .reported();
    }
    Ok(())
}

/// `unplug` means one thing.
fn unplug_is_one(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    for method in &block.methods {
        if block.options.unplug.is_some() && method.ident == "unplug" {
            outcome = diagnostics
                .error(
                    &method.ident,
                    format_args!("the option `unplug` generates the method `unplug` of this device: which one would its callers get?"),
                )
                .help(format_args!("give this method another name; what it does to the hardware is a hook: `unplug(stop = <method>)`"))
                .reported();
        }
    }
    outcome
}

/// Unplug calls its hooks when it has closed the device: a guarded one would answer for the missing device. A hook that
/// breaks this is taken away, so that nothing follows from it.
fn hooks_are_no_operations(block: &mut Block, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(mut hooks) = block.unplug.take() else { return Ok(()) };
    let stop = hook_is_no_operation(&mut hooks.stop, block, diagnostics);
    let wake = hook_is_no_operation(&mut hooks.wake, block, diagnostics);
    block.unplug = Some(hooks);
    stop.and(wake)
}

fn hook_is_no_operation(hook: &mut Option<Hook>, block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(Hook(name)) = hook.take_if(|hook| block.has_method(&hook.0.to_string())) else { return Ok(()) };
    diagnostics
        .error(
            &name,
            format_args!(
                "the hook `{name}` is an operation of this block, and unplug ends operations before it calls hooks"
            ),
        )
        .help(format_args!("move `fn {name}` to an `impl {}` block without `#[guarded_fops]`", block.type_name()))
        .reported()
}

/// `not_found` answers for a lookup.
fn lookup_can_fail(block: &Block, diagnostics: &mut Diagnostics) -> Outcome {
    let Some(answer) = &block.options.not_found else { return Ok(()) };
    let by_lifetime = block.options.lifetime.as_ref().is_some_and(|lifetime| makes_value(&lifetime.expression));
    let mut methods_do = false;
    for method in &block.methods {
        methods_do |= method.options.via.is_some();
    }
    if block.options_read.is_ok() && block.options.via.is_none() && !methods_do && !by_lifetime {
        return diagnostics
            .error(&answer.expression, format_args!("nothing is looked up here that could be missing"))
            .help(format_args!("`via = self.find(..)`, where that returns an `Option` of the device"))
            .reported();
    }
    Ok(())
}

/// Every method has a policy.
fn policy(block: &Block, method: &Method, diagnostics: &mut Diagnostics) -> Result<Policy, Reported> {
    let ident = &method.ident;
    match (method.policy(block), block.options_read) {
        (Ok(policy), _) => Ok(policy),
        // What could not be read may have been the default.
        (Err(NoPolicy::Unknown), Err(reported)) => Err(reported),
        (Err(NoPolicy::Unknown), Ok(())) => {
            let error = diagnostics.error(ident, format_args!("`{ident}` is not known by name and needs a policy"));
            let is_polled = method.options.polled.0.is_some();
            match Work::is_of_future(method) && !is_polled {
                true => error.help(format_args!("`#[fop(guarded, polled)]`: its section opens when it is polled")),
                false if is_polled => error.help(format_args!("`#[fop(guarded, polled)]`")),
                false => error
                    .help(format_args!("`#[fop(guarded)]`, or `default = guarded` for all such methods of the block")),
            }
            .reported()
        }
        (Err(NoPolicy::Release), _) => diagnostics
            .error(ident, format_args!("`{ident}` sounds like a release, which must not be skipped after unplug"))
            .help(format_args!("`#[fop(always)]`, or `#[fop(guarded)]` if it may be skipped"))
            .reported(),
    }
}

/// `guarded`, `always` and `unguarded` exclude each other.
fn policy_is_one(method: &Method, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    let ident = &method.ident;
    let mut is_given = false;
    for word in &method.options.policies() {
        let Some(span) = word.0 else { continue };
        if is_given {
            outcome = diagnostics
                .error_at(span, format_args!("`{ident}` is given a second policy"))
                .help(format_args!("one of `guarded`, `always` and `unguarded`"))
                .reported();
        }
        is_given = true;
    }
    outcome
}

/// An unguarded op says why that is sound.
fn unguarded_has_reason(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let Some((Policy::Unguarded, word)) = op.method.options.policy() else { return Ok(()) };
    let example = "`#[fop(unguarded, reason = \"touches no device resources\")]`";
    match &op.method.options.reason {
        None => diagnostics
            .error_at(word, format_args!("an unguarded operation runs on during and after unplug: why is that sound?"))
            .help(format_args!("{example}"))
            .reported(),
        Some(reason) => reason_is_given(reason, example, diagnostics),
    }
}

/// A reason says something.
pub(crate) fn reason_is_given(reason: &Reason, example: &str, diagnostics: &mut Diagnostics) -> Outcome {
    if !is_blank(&reason.0.value()) {
        return Ok(());
    }
    diagnostics
        .error(&reason.0, format_args!("an empty reason convinces no reviewer"))
        .help(format_args!("{example}"))
        .reported()
}

/// A reason is for an unguarded op.
fn reason_has_unguarded(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    if let (Some(reason), false) = (&op.method.options.reason, op.policy == Policy::Unguarded) {
        return diagnostics
            .error(
                &reason.0,
                format_args!("only an unguarded operation needs a reason, `{}` is guarded", op.method.ident),
            )
            .help(format_args!("`#[fop(unguarded, reason = \"..\")]`, or no reason"))
            .reported();
    }
    Ok(())
}

/// `unplugged` is for guarded ops, `via` for those that enter at all.
fn options_have_effect(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let mut outcome = Ok(());
    let (options, ident) = (&op.method.options, &op.method.ident);
    if let (Some(answer), false) = (&options.unplugged, op.policy == Policy::Guarded) {
        outcome = diagnostics
            .error(&answer.expression, format_args!("`{ident}` runs after unplug too, and needs no other answer"))
            .help(format_args!("remove `unplugged`, or make the operation `guarded`"))
            .reported();
    }
    if op.policy == Policy::Unguarded {
        let mut has_no_effect = |option: &Code| {
            diagnostics
                .error(
                    &option.expression,
                    format_args!("`{ident}` is unguarded and does not look for the device's lifetime"),
                )
                .reported()
        };
        if let Some(option) = &options.via {
            outcome = has_no_effect(option);
        }
        if let Some(option) = &options.not_found {
            outcome = has_no_effect(option);
        }
    } else if let (Some(answer), Policy::Always) = (&options.not_found, op.policy) {
        outcome = diagnostics
            .error(&answer.expression, format_args!("`{ident}` always runs, where its device is not found too"))
            .help(format_args!("remove `not_found`, or make the operation `guarded`"))
            .reported();
    }
    outcome
}

/// An op that is said to sleep or to be brief has a section, and is said to do one of them.
fn stay_is_one(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let ident = &op.method.ident;
    match (op.method.options.sleeps.0, op.method.options.brief.0) {
        (Some(_), Some(brief)) => diagnostics
            .error_at(brief, format_args!("`{ident}` sleeps, and is brief"))
            .help(format_args!("one of `sleeps` and `brief`"))
            .reported(),
        (Some(word), None) | (None, Some(word)) if op.policy == Policy::Unguarded => diagnostics
            .error_at(word, format_args!("`{ident}` is unguarded: unplug does not wait for it, however long it takes"))
            .help(format_args!("remove this, or make the operation `guarded`"))
            .reported(),
        _ => Ok(()),
    }
}

fn is_blank(text: &str) -> bool {
    for char in text.chars() {
        if !char.is_whitespace() {
            return false;
        }
    }
    true
}

/// There is something to reach the lifetime through.
fn section_can_open(op: &Op, diagnostics: &mut Diagnostics) -> Outcome {
    let (method, ident) = (op.method, &op.method.ident);
    let via = method.via(&op.block.options);
    let is_global = op.block.options.lifetime_is_global();
    if method.receiver().is_some() || via.is_some() || op.policy == Policy::Unguarded || is_global {
        return Ok(());
    }
    let mut via = "<parameter>".to_owned();
    for input in &method.inputs {
        let InputKind::Parameter(parameter) = &input.kind else { continue };
        if let Some(name) = plain_name(&parameter.pattern) {
            via = name.to_string();
            break;
        }
    }
    diagnostics
        .error(ident, format_args!("`{ident}` has no `self` to reach the device's lifetime through"))
        .help(format_args!("`#[fop(via = {via})]`, if that leads to the device"))
        .reported()
}
