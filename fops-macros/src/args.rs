//! The options of `#[guarded_fops(..)]` and `#[fop(..)]`.
//!
//! darling reads the lists and suggests the right name; `values` has the types of the values.

#[cfg(test)]
mod tests;
mod values;

use darling::{FromMeta, ast::NestedMeta};
use proc_macro2::{Span, TokenStream, TokenTree};
use syn::{Meta, Token, ext::IdentExt, parse::ParseStream};

pub(crate) use self::values::{
    Asked, Code, DefaultPolicy, Escapes, Hook, Key, Reason, Resources, Runtime, Subdevs, Word, is_keyword,
};
use crate::{
    diagnostics::{Diagnostics, Outcome},
    ops::Policy,
    source::{self, contains},
};

/// `#[guarded_fops(..)]`.
#[derive(Default)]
pub(crate) struct BlockOptions {
    /// The field of the device, or the expression, that is its `DeviceLifetime`.
    pub(crate) lifetime: Option<Code>,
    /// What stands for the device in a method without receiver, or looks it up for each request.
    pub(crate) via: Option<Code>,
    /// The answer where `via`, or `lifetime`, looks the device up and finds none.
    pub(crate) not_found: Option<Code>,
    /// The answer of a guarded op once the device is gone.
    pub(crate) unplugged: Option<Code>,
    /// Asks for an impl of `Unplug`.
    pub(crate) unplug: Option<Asked>,
    /// The type of the resources, where no `#[access]` says it.
    pub(crate) resources: Resources,
    /// The key of the table of ops.
    pub(crate) name: Option<Key>,
    /// The block has the operations of a subdev's device node.
    pub(crate) subdev: Word,
    /// The policy of methods that are not known by name.
    pub(crate) default: Option<DefaultPolicy>,
    /// Where the runtime is found, if not at `::fops_runtime`.
    pub(crate) runtime: Runtime,
}

/// What stands in `unplug(..)`.
#[derive(Default)]
pub(crate) struct UnplugHooks {
    /// The method that stops the hardware.
    pub(crate) stop: Option<Hook>,
    /// The method that wakes what only the driver knows of.
    pub(crate) wake: Option<Hook>,
    /// The fields that hold subdevs, which are unplugged with the device.
    pub(crate) subdevs: Subdevs,
    /// What becomes of clones of the resources.
    pub(crate) escapes: Option<Escapes>,
}

/// `#[resources(..)]`, on a structure that derives `Resources` or on a field of it.
#[derive(Default)]
pub(crate) struct ResourcesOptions {
    /// Clones of this field may outlive the device.
    pub(crate) shared: Word,
    /// Why that is sound.
    pub(crate) reason: Option<Reason>,
    /// Where the runtime is found, if not at `::fops_runtime`: on the structure.
    pub(crate) runtime: Runtime,
}

/// `#[fop(..)]`.
#[derive(Default)]
pub(crate) struct FopOptions {
    /// The section of an async op opens when its future is first polled.
    pub(crate) polled: Word,
    guarded: Word,
    always: Word,
    unguarded: Word,
    /// The op may sleep until unplug wakes it.
    pub(crate) sleeps: Word,
    /// The op is over soon.
    pub(crate) brief: Word,
    /// Why it is sound that an unguarded op runs on after unplug.
    pub(crate) reason: Option<Reason>,
    /// What stands for the device in this method.
    pub(crate) via: Option<Code>,
    /// The answer where this method's device is not found.
    pub(crate) not_found: Option<Code>,
    /// The answer of this method once the device is gone.
    pub(crate) unplugged: Option<Code>,
}

impl FopOptions {
    /// The policy given, with the span of its word: the first, if the author gives several.
    pub(crate) fn policy(&self) -> Option<(Policy, Span)> {
        match self.policies() {
            [Word(Some(span)), ..] => Some((Policy::Guarded, span)),
            [_, Word(Some(span)), _] => Some((Policy::Always, span)),
            [.., Word(Some(span))] => Some((Policy::Unguarded, span)),
            _ => None,
        }
    }

    /// The words for the policies.
    pub(crate) fn policies(&self) -> [Word; 3] {
        [self.guarded, self.always, self.unguarded]
    }
}

/// A list of options, by their names.
pub(crate) trait Options {
    /// Sets the option of this name.
    fn set(&mut self, name: &str, given: &NestedMeta) -> darling::Result<()>;
}

/// What darling's derive makes of a struct, with less for rustc to compile: the derived code was a twelfth of this
/// crate's build.
macro_rules! options {
    ($options:ident: $($name:literal => $($some:ident)? ($field:ident)),* $(; $($more:literal => ($word:ident)),*)?) => {
        impl Options for $options {
            fn set(&mut self, name: &str, given: &NestedMeta) -> darling::Result<()> {
                match name {
                    $($name => self.$field = $($some)? (value_of(given)?),)*
                    // Not suggested: darling lists no more than eight.
                    $($($more => self.$word = value_of(given)?,)*)?
                    _ => return Err(darling::Error::unknown_field_with_alts(name, [$($name),*].as_slice())),
                }
                Ok(())
            }
        }
    };
}

options!(BlockOptions:
    "lifetime" => Some(lifetime), "via" => Some(via), "not_found" => Some(not_found), "unplugged" => Some(unplugged),
    "unplug" => Some(unplug), "resources" => (resources), "name" => Some(name), "subdev" => (subdev),
    "default" => Some(default), "crate" => (runtime));
options!(UnplugHooks: "stop" => Some(stop), "wake" => Some(wake), "subdevs" => (subdevs), "escapes" => Some(escapes));
options!(ResourcesOptions: "shared" => (shared), "reason" => Some(reason), "crate" => (runtime));
options!(FopOptions:
    "polled" => (polled), "guarded" => (guarded), "always" => (always), "unguarded" => (unguarded),
    "reason" => Some(reason), "via" => Some(via), "not_found" => Some(not_found), "unplugged" => Some(unplugged);
    "sleeps" => (sleeps), "brief" => (brief));

fn value_of<T: FromMeta>(given: &NestedMeta) -> darling::Result<T> {
    match given {
        NestedMeta::Meta(item) => T::from_meta(item),
        NestedMeta::NameValueInvalidExpr(given) => T::from_invalid_expr(given),
        NestedMeta::Lit(_) => Err(darling::Error::unsupported_format("literal")),
    }
}

/// Reads a list of options; those that are right are kept where others are wrong, so that one
/// mistake does not bring errors about what it left unsaid.
pub(crate) fn read(options: &mut dyn Options, tokens: TokenStream, diagnostics: &mut Diagnostics) -> Outcome {
    let (list, mut outcome) = options_of(tokens, diagnostics);
    // As `,a,b,`: the names so far.
    let mut seen = String::from(",");
    for given in &list {
        let path = match given {
            NestedMeta::Meta(item) => item.path(),
            NestedMeta::NameValueInvalidExpr(item) => &item.path,
            NestedMeta::Lit(literal) => {
                outcome = diagnostics.options(darling::Error::unsupported_format("literal").with_span(literal));
                continue;
            }
        };
        let name = darling::util::path_to_string(path);
        if matches!(given, NestedMeta::NameValueInvalidExpr(item) if item.value.is_empty()) {
            outcome = diagnostics
                .error(path, format_args!("`{name}` is given no value"))
                .help(format_args!("`{name} = ..`"))
                .reported();
            continue;
        }
        let set = match contains(&seen, &format!(",{name},")) {
            true => Err(darling::Error::duplicate_field(&name)),
            false => options.set(&name, given),
        };
        if let Err(error) = set {
            outcome = diagnostics.options(error.with_span(given));
        }
        seen.push_str(&name);
        seen.push(',');
    }
    outcome
}

/// Takes a list of options apart. A slip in one of them costs that one: the list goes on at the next comma, or where the
/// comma is what is missing.
fn options_of(tokens: TokenStream, diagnostics: &mut Diagnostics) -> (Vec<NestedMeta>, Outcome) {
    let mut list = Vec::new();
    let mut slips = None;
    let mut note = |slip: syn::Error| match &mut slips {
        None => slips = Some(slip),
        Some(slips) => slips.combine(slip),
    };
    let all = &mut |input: ParseStream<'_>| {
        while !input.is_empty() {
            match input.parse::<NestedMeta>() {
                Ok(given) => list.push(given),
                Err(slip) => {
                    note(slip);
                    skip_to_comma(input)?;
                }
            }
            if input.is_empty() {
                break;
            }
            let Err(slip) = input.parse::<Token![,]>() else { continue };
            note(slip);
            if !begins_option(input) {
                // What precedes it may be a part of it, as `lifetime` is in `lifetime: field`.
                if matches!(list.last(), Some(NestedMeta::Meta(Meta::Path(_)) | NestedMeta::Lit(_))) {
                    list.pop();
                }
                skip_to_comma(input)?;
                input.parse::<Option<Token![,]>>()?;
            }
        }
        Ok(())
    };
    if let Err(slip) = source::parse(tokens, all) {
        note(slip);
    }
    let mut outcome = Ok(());
    let Some(slips) = slips else { return (list, outcome) };
    for slip in slips {
        outcome = diagnostics
            .error_at(slip.span(), format_args!("{slip}"))
            .help(format_args!("options are `name`, `name = value` and `name(..)`, with commas between"))
            .reported();
    }
    (list, outcome)
}

fn skip_to_comma(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Whether `name = ..` or `name(..)` follows.
fn begins_option(input: ParseStream) -> bool {
    input.peek(syn::Ident::peek_any) && (input.peek2(Token![=]) || input.peek2(syn::token::Paren))
}
