//! The options of `#[guarded_fops(..)]` and `#[fop(..)]`.
//!
//! darling reads the lists, knows the names and suggests the right one; the types of the values
//! are ours, so that each says what it wants in the words of this crate.

use darling::{
    FromMeta,
    ast::{MetaNameValueInvalidExpr, NestedMeta},
};
use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens;
use syn::{
    Expr, ExprLit, Lit, LitStr, Meta, Path, Token, Type,
    parse::{ParseStream, Parser},
    punctuated::Punctuated,
    spanned::Spanned,
};

use crate::{
    diagnostics::{Diagnostics, written},
    ops::Policy,
    source::Source,
};

/// `#[guarded_fops(..)]`.
#[derive(Default, FromMeta)]
#[darling(default)]
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
    #[darling(rename = "crate")]
    pub(crate) runtime: Option<Path>,
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
    fn from_none() -> Option<Self> {
        Some(Self(None))
    }

    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::NameValue(given) = item else {
            return Err(expected(item, &|name| format!("expected `{name} = <type>`")));
        };
        Self::parse(given.value.to_token_stream())
    }

    fn from_invalid_expr(given: &MetaNameValueInvalidExpr) -> darling::Result<Self> {
        Self::parse(given.value.clone())
    }
}

/// What stands in `unplug(..)`.
#[derive(Default, FromMeta)]
#[darling(default)]
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
    fn from_none() -> Option<Self> {
        Some(Self::default())
    }

    fn from_meta(item: &Meta) -> darling::Result<Self> {
        let Meta::List(list) = item else {
            return Err(expected(item, &|name| format!("expected `{name}(<field> = <type>, ..)`")));
        };
        let subdev = |input: ParseStream| -> syn::Result<(Ident, Type)> {
            let field: Ident = input.parse()?;
            if !input.peek(Token![=]) {
                return Err(syn::Error::new_spanned(
                    &field,
                    format_args!("expected `{field} = <type>`: the field is a `Subdev<type>`"),
                ));
            }
            input.parse::<Token![=]>()?;
            Ok((field, input.parse()?))
        };
        let all = Punctuated::<(Ident, Type), Token![,]>::parse_terminated_with;
        let all = (|input: ParseStream| all(input, subdev)).parse2(list.tokens.clone())?;
        Ok(Self(all.into_iter().collect()))
    }
}

/// `#[fop(..)]`.
#[derive(Default, FromMeta)]
#[darling(default)]
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
        let words =
            [(Policy::Guarded, self.guarded), (Policy::Always, self.always), (Policy::Unguarded, self.unguarded)];
        let mut policies = Vec::new();
        for (policy, Word(span)) in words {
            policies.extend(span.map(|span| (policy, span)));
        }
        policies
    }
}

/// Reads a list of options; those that are right are kept where others are wrong, so that one
/// mistake does not bring errors about what it left unsaid.
pub(crate) fn read<T: FromMeta + Default>(tokens: TokenStream, diagnostics: &mut Diagnostics) -> T {
    let items = list(tokens, diagnostics);
    let error = match T::from_list(&items) {
        Ok(options) => return options,
        Err(error) => error,
    };
    diagnostics.options(error);
    let right = first_of_each(items, &|item| T::from_list(std::slice::from_ref(item)).is_ok());
    T::from_list(&right).unwrap_or_default()
}

/// The list, without options that have an equals sign and no value.
fn list(tokens: TokenStream, diagnostics: &mut Diagnostics) -> Vec<NestedMeta> {
    let all = match NestedMeta::parse_meta_list(tokens) {
        Ok(all) => all,
        Err(error) => {
            diagnostics
                .error_at(error.span(), format_args!("{error}"))
                .help(format_args!("options are `name`, `name = value` and `name(..)`, with commas between"));
            return Vec::new();
        }
    };
    let mut items = Vec::new();
    for item in all {
        match &item {
            NestedMeta::NameValueInvalidExpr(given) if given.value.is_empty() => {
                let name = written(&given.path);
                diagnostics
                    .error(&given.path, format_args!("`{name}` is given no value"))
                    .help(format_args!("`{name} = ..`"));
            }
            _ => items.push(item),
        }
    }
    items
}

/// The options that are right, and of those that are given twice the first.
fn first_of_each(items: Vec<NestedMeta>, is_right: &dyn Fn(&NestedMeta) -> bool) -> Vec<NestedMeta> {
    let (mut seen, mut right): (Vec<Path>, _) = (Vec::new(), Vec::new());
    for item in items {
        let NestedMeta::Meta(meta) = &item else { continue };
        let is_first = !seen.contains(meta.path());
        seen.push(meta.path().clone());
        if is_first && is_right(&item) {
            right.push(item);
        }
    }
    right
}

/// A bare word: there or not.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word(pub(crate) Option<Span>);

impl FromMeta for Word {
    fn from_none() -> Option<Self> {
        Some(Self(None))
    }

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
        ident(item)
            .filter(|name| !is_keyword(name))
            .map(Self)
            .ok_or_else(|| expected(item, &|name| format!("expected `{name} = <method>`")))
    }
}

/// The name under which the table of ops is found.
pub(crate) struct Key(pub(crate) String);

impl FromMeta for Key {
    fn from_meta(item: &Meta) -> darling::Result<Self> {
        ident(item)
            .map(|ident| ident.to_string())
            .or_else(|| string(item).map(|text| text.value()).filter(|text| !text.is_empty()))
            .map(Self)
            .ok_or_else(|| expected(item, &|name| format!("expected `{name} = <identifier>`")))
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
            _ => Err(expected(item, &|name| format!("expected `{name} = guarded` or `{name} = always`"))),
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
    ["self", "Self", "super", "crate"].iter().any(|keyword| name == keyword)
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
