//! The options of `#[guarded_fops(..)]` and `#[fop(..)]`.
//!
//! darling reads the lists and suggests the right name; the types of the values are ours, so that
//! each says what it wants in the words of this crate.

use darling::{
    FromMeta,
    ast::{MetaNameValueInvalidExpr, NestedMeta},
};
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Expr, ExprLit, Lit, LitStr, Meta, Path, Token, Type,
    ext::IdentExt,
    parse::{ParseStream, Parser},
    spanned::Spanned,
};

use crate::{
    diagnostics::{Diagnostics, Outcome, written},
    ops::Policy,
    source::{Source, contains, is_punct},
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

/// The path of a crate, if one is given. (darling would take a string for it.)
#[derive(Default)]
pub(crate) struct Runtime(pub(crate) Option<Path>);

impl FromMeta for Runtime {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match value(item) {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(Self(Some(path.path.clone()))),
            _ => Err(expected(item, &|name| not_source(item, name, "<path>"))),
        }
    }
}

/// A type, if one is given. (darling's `Option` would refuse `Vec<u8>`, which is no expression.)
#[derive(Default)]
pub(crate) struct Resources(pub(crate) Option<Type>);

impl Resources {
    fn parse(value: TokenStream) -> darling::Result<Self> {
        let wrong = |_| darling::Error::custom("expected `resources = <type>`").with_span(&value);
        Ok(Self(Some(syn::parse2(value.clone()).map_err(wrong)?)))
    }
}

impl FromMeta for Resources {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::NameValue(given) = item else {
            return Err(expected(item, &|name| format!("expected `{name} = <type>`")));
        };
        if string(item).is_some() {
            return Err(expected(item, &|name| not_source(item, name, "<type>")));
        }
        Self::parse(given.value.to_token_stream())
    }

    fn from_invalid_expr(given: &MetaNameValueInvalidExpr) -> darling::Result<Self> {
        Self::parse(given.value.clone())
    }
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
}

/// `subdevs(csi2 = Csi2, ..)`: fields of type `Subdev<Csi2>`.
#[derive(Default)]
pub(crate) struct Subdevs(pub(crate) Vec<(Ident, Type)>);

impl FromMeta for Subdevs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected(item, &|name| format!("expected `{name}(<field> = <type>, ..)`")));
        };
        let mut subdevs = Vec::new();
        let all = |input: ParseStream| -> syn::Result<()> {
            while !input.is_empty() {
                let field: Ident = input.parse()?;
                if !input.peek(Token![=]) {
                    return Err(syn::Error::new_spanned(
                        &field,
                        format_args!("expected `{field} = <type>`: the field is a `Subdev<type>`"),
                    ));
                }
                input.parse::<Token![=]>()?;
                subdevs.push((field, input.parse()?));
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        all.parse2(list.tokens.clone())?;
        Ok(Self(subdevs))
    }
}

/// `#[fop(..)]`.
#[derive(Default)]
pub(crate) struct FopOptions {
    /// The section of an async op opens when its future is first polled.
    pub(crate) polled: Word,
    guarded: Word,
    always: Word,
    unguarded: Word,
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
    /// The policies given, each with the span of its word: one, if the author made no mistake.
    pub(crate) fn policies(&self) -> Vec<(Policy, Span)> {
        let mut policies = Vec::new();
        let mut note = |policy, word: Word| {
            if let Some(span) = word.0 {
                policies.push((policy, span));
            }
        };
        note(Policy::Guarded, self.guarded);
        note(Policy::Always, self.always);
        note(Policy::Unguarded, self.unguarded);
        policies
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
    ($options:ident: $($name:literal => $($some:ident)? ($field:ident)),*) => {
        impl Options for $options {
            fn set(&mut self, name: &str, given: &NestedMeta) -> darling::Result<()> {
                match name {
                    $($name => self.$field = $($some)? (value_of(given)?),)*
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
options!(UnplugHooks: "stop" => Some(stop), "wake" => Some(wake), "subdevs" => (subdevs));
options!(FopOptions:
    "polled" => (polled), "guarded" => (guarded), "always" => (always), "unguarded" => (unguarded),
    "reason" => Some(reason), "via" => Some(via), "not_found" => Some(not_found), "unplugged" => Some(unplugged));

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
    let all = |input: ParseStream| -> syn::Result<()> {
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
    if let Err(slip) = all.parse2(opened(tokens)) {
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

/// The list with the content of each macro fragment in its place that is an option or several: `$option:meta`.
fn opened(tokens: TokenStream) -> TokenStream {
    let mut output = Source::default();
    let mut begins = true;
    for tree in tokens {
        match tree {
            TokenTree::Group(group) if begins && group.delimiter() == Delimiter::None => {
                output.0.extend(opened(group.stream()));
                begins = false;
            }
            tree => {
                begins = is_punct(Some(&tree), ',');
                output.0.push(tree);
            }
        }
    }
    output.into_stream()
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

/// A bare word: there or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word(pub(crate) Option<Span>);

impl FromMeta for Word {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::Path(_) => Ok(Self(Some(item.span()))),
            _ => Err(expected(item, &|name| match name {
                "unguarded" => format!("`{name}` takes no value\nhelp: `{name}, reason = \"..\"`"),
                _ => format!("`{name}` takes no value"),
            })),
        }
    }
}

/// An expression, as written: a string stays a string.
pub(crate) struct Code {
    pub(crate) expression: Expr,
    /// The same, not looked into.
    pub(crate) source: Source,
    /// Whether it says `self`.
    pub(crate) mentions_self: bool,
}

impl FromMeta for Code {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match item {
            Meta::NameValue(given) => {
                let source = Source::of(&given.value);
                let mentions_self = source.mentions("self");
                Ok(Self { expression: given.value.clone(), source, mentions_self })
            }
            _ => Err(expected(item, &|name| format!("expected `{name} = <expression>`"))),
        }
    }
}

/// `unplug` or `unplug(..)`, its options unread: a mistake among them does not take the impl away.
pub(crate) struct Asked {
    pub(crate) span: Span,
    pub(crate) hooks: TokenStream,
}

impl FromMeta for Asked {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let hooks = match item {
            Meta::Path(_) => TokenStream::new(),
            Meta::List(list) => list.tokens.clone(),
            Meta::NameValue(_) => return Err(expected(item, &|name| format!("expected `{name}(..)`"))),
        };
        Ok(Self { span: item.path().span(), hooks })
    }
}

/// The name of a method of the device.
pub(crate) struct Hook(pub(crate) Ident);

impl FromMeta for Hook {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match ident(item) {
            Some(name) if !is_keyword(&name) => Ok(Self(name)),
            _ => Err(expected(item, &|name| not_source(item, name, "<method>"))),
        }
    }
}

/// The name under which the table of ops is found.
pub(crate) struct Key(pub(crate) String);

impl FromMeta for Key {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        ident(item)
            .map(|ident| Self(ident.unraw().to_string()))
            .ok_or_else(|| expected(item, &|name| not_source(item, name, "<identifier>")))
    }
}

/// Why an op needs no guard.
pub(crate) struct Reason(pub(crate) LitStr);

impl FromMeta for Reason {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        string(item)
            .map(Self)
            .ok_or_else(|| expected(item, &|name| format!("a reason is a sentence: `{name} = \"..\"`")))
    }
}

/// The policy of a block for methods that are not known by name.
///
/// `unguarded` is none: each unguarded op gives its own reason.
#[derive(Clone, Copy)]
pub(crate) struct DefaultPolicy(pub(crate) Policy);

impl FromMeta for DefaultPolicy {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let word = ident(item).map(|ident| ident.to_string());
        match word.as_deref() {
            Some("guarded") => Ok(Self(Policy::Guarded)),
            Some("always") => Ok(Self(Policy::Always)),
            Some("unguarded") => Err(expected(item, &|_| {
                "`unguarded` cannot be the default: each unguarded operation needs its own reason\n\
                 help: `#[fop(unguarded, reason = \"..\")]` on the method"
                    .into()
            })),
            _ => Err(expected(item, &|name| match string(item).map(|text| text.value()).as_deref() {
                Some("guarded" | "always") => not_source(item, name, ""),
                _ => format!("expected `{name} = guarded` or `{name} = always`"),
            })),
        }
    }
}

/// The identifier that an option is given, seen through the groups of macro fragments.
fn ident(item: &Meta) -> Option<Ident> {
    match value(item)? {
        Expr::Path(path) if path.qself.is_none() => path.path.get_ident().cloned(),
        _ => None,
    }
}

/// Whether a path can be this word, and nothing else have it for its name.
pub(crate) fn is_keyword(name: &Ident) -> bool {
    matches!(name.to_string().as_str(), "self" | "Self" | "super" | "crate")
}

/// Says what an option wants, and how to write it if it is given a string.
fn not_source(item: &Meta, name: &str, wanted: &str) -> String {
    match string(item) {
        Some(text) if !text.value().is_empty() => {
            format!("`{name}` is source, not a string\nhelp: `{name} = {}`", text.value())
        }
        _ => format!("expected `{name} = {wanted}`"),
    }
}

/// The string that an option is given.
fn string(item: &Meta) -> Option<LitStr> {
    match value(item)? {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
        _ => None,
    }
}

fn value(item: &Meta) -> Option<&Expr> {
    let Meta::NameValue(given) = item else {
        return None;
    };
    let mut value = &given.value;
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    Some(value)
}

/// An error about the value of an option, at the value where there is one.
fn expected(item: &Meta, message: &dyn Fn(&str) -> String) -> darling::Error {
    let error = darling::Error::custom(message(&written(item.path())));
    match item {
        Meta::NameValue(given) => error.with_span(&given.value),
        _ => error.with_span(item.path()),
    }
}
