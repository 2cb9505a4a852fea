//! The values of the options. Each type says what it wants in the words of this crate.

use darling::{FromMeta, ast::MetaNameValueInvalidExpr};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, LitStr, Meta, Path, Token, Type, spanned::Spanned};

use crate::{
    diagnostics::written,
    ops::Policy,
    source::{self, Source},
};

/// The path of a crate, if one is given. (darling would take a string for it.)
#[derive(Default)]
pub(crate) struct Runtime(pub(crate) Option<Path>);

impl FromMeta for Runtime {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match value(item) {
            Some(Expr::Path(path)) if path.qself.is_none() => Ok(Self(Some(path.path.clone()))),
            _ => Err(not_source(item, "<path>")),
        }
    }
}

/// A type, if one is given. (darling's `Option` would refuse `Vec<u8>`, which is no expression.)
#[derive(Default)]
pub(crate) struct Resources(pub(crate) Option<Type>);

impl Resources {
    fn parse(value: TokenStream) -> darling::Result<Self> {
        let wrong = |_| darling::Error::custom("expected `resources = <type>`").with_span(&value);
        Ok(Self(Some(source::parsed(value.clone()).map_err(wrong)?)))
    }
}

impl FromMeta for Resources {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::NameValue(given) = item else {
            return Err(expected(item, "expected `@ = <type>`"));
        };
        if string(item).is_some() {
            return Err(not_source(item, "<type>"));
        }
        Self::parse(given.value.to_token_stream())
    }

    fn from_invalid_expr(given: &MetaNameValueInvalidExpr) -> darling::Result<Self> {
        Self::parse(given.value.clone())
    }
}

/// `subdevs(csi2 = Csi2, ..)`: fields of type `Subdev<Csi2>`.
#[derive(Default)]
pub(crate) struct Subdevs(pub(crate) Vec<(Ident, Type)>);

impl FromMeta for Subdevs {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected(item, "expected `@(<field> = <type>, ..)`"));
        };
        let mut subdevs = Vec::new();
        source::parse(list.tokens.clone(), &mut |input| {
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
        })?;
        Ok(Self(subdevs))
    }
}

/// A bare word: there or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word(pub(crate) Option<Span>);

impl FromMeta for Word {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::Path(word) = item else {
            let name = written(item.path());
            let needs_reason = name == "unguarded" || name == "shared";
            let help = if needs_reason { "\nhelp: `@, reason = \"..\"`" } else { "" };
            return Err(expected(item, &format!("`@` takes no value{help}")));
        };
        Ok(Self(Some(word.span())))
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
            _ => Err(expected(item, "expected `@ = <expression>`")),
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
            Meta::NameValue(_) => return Err(expected(item, "expected `@(..)`")),
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
            _ => Err(not_source(item, "<method>")),
        }
    }
}

/// What unplug does about clones of the resources: a variant of the runtime's `OnEscape`.
pub(crate) struct Escapes(pub(crate) Ident);

impl FromMeta for Escapes {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        if let Some(word) = ident(item) {
            let variant = match word.to_string().as_str() {
                "log" => "Log",
                "panic" => "Panic",
                "wait" => "Wait",
                _ => "",
            };
            if !variant.is_empty() {
                return Ok(Self(Ident::new(variant, word.span())));
            }
        }
        Err(expected(item, "expected `@ = log`, `@ = panic` or `@ = wait`"))
    }
}

/// The name under which the table of ops is found.
pub(crate) struct Key(pub(crate) Ident);

impl FromMeta for Key {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match ident(item) {
            Some(key) => Ok(Self(key)),
            None => Err(not_source(item, "<identifier>")),
        }
    }
}

/// Why an op needs no guard.
pub(crate) struct Reason(pub(crate) LitStr);

impl FromMeta for Reason {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        match string(item) {
            Some(reason) => Ok(Self(reason)),
            None => Err(expected(item, "a reason is a sentence: `@ = \"..\"`")),
        }
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
            Some("unguarded") => Err(expected(
                item,
                "`unguarded` cannot be the default: each unguarded operation needs its own reason\n\
                 help: `#[fop(unguarded, reason = \"..\")]` on the method",
            )),
            _ => match string(item) {
                Some(text) if text.value() == "guarded" || text.value() == "always" => Err(not_source(item, "")),
                _ => Err(expected(item, "expected `@ = guarded` or `@ = always`")),
            },
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
fn not_source(item: &Meta, wanted: &str) -> darling::Error {
    match string(item) {
        Some(text) if !text.value().is_empty() => {
            expected(item, &format!("`@` is source, not a string\nhelp: `@ = {}`", text.value()))
        }
        _ => expected(item, &format!("expected `@ = {wanted}`")),
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

/// An error about the value of an option, at the value where there is one. `@` stands for the option's name.
fn expected(item: &Meta, text: &str) -> darling::Error {
    let name = written(item.path());
    let mut message = String::new();
    for char in text.chars() {
        match char {
            '@' => message.push_str(&name),
            char => message.push(char),
        }
    }
    let error = darling::Error::custom(message);
    match item {
        Meta::NameValue(given) => error.with_span(&given.value),
        _ => error.with_span(item.path()),
    }
}
