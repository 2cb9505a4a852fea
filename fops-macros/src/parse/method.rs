//! A method: what is ours is taken out of its attributes and its parameters.

use proc_macro2::{Group, TokenTree};
use syn::{Attribute, FnArg, Meta, PatType, Signature, punctuated::Punctuated};

use super::{HELPERS, Head, is};
use crate::{
    args::{self, FopOptions},
    diagnostics::Diagnostics,
    model::Method,
};

/// Takes out the `#[fop]`s, and the `#[access]` and `#[device]` parameters.
pub(super) fn method(head: Head, body: Group, diagnostics: &mut Diagnostics) -> Method {
    let before = diagnostics.count();
    let Head { mut attributes, visibility, defaultness, mut signature } = head;
    reject_cfg_attr(&mut attributes, diagnostics);
    let options = options(&mut attributes, &signature, diagnostics);
    let (mut access, mut device) = (Vec::new(), Vec::new());
    let mut inputs = Punctuated::new();
    for mut input in std::mem::take(&mut signature.inputs) {
        match &mut input {
            FnArg::Typed(parameter) => {
                reject_cfg_attr(&mut parameter.attrs, diagnostics);
                match take_mark(parameter, diagnostics) {
                    Some(Mark::Access) => access.push(parameter.clone()),
                    Some(Mark::Device) => device.push(parameter.clone()),
                    None => inputs.push(input),
                }
            }
            FnArg::Receiver(receiver) => {
                reject_on_self(&mut receiver.attrs, diagnostics);
                inputs.push(input);
            }
        }
    }
    signature.inputs = inputs;
    let sound = diagnostics.count() == before;
    Method { attributes, visibility, defaultness, signature, access, device, options, body, sound }
}

/// The options of the method's `#[fop]`, which is taken off.
fn options(attributes: &mut Vec<Attribute>, signature: &Signature, diagnostics: &mut Diagnostics) -> FopOptions {
    let fops: Vec<Attribute> = attributes.extract_if(.., |attribute| is(attribute, "fop")).collect();
    for again in fops.iter().skip(1) {
        diagnostics
            .error(again, format_args!("a second `#[fop]` on `{}`", signature.ident))
            .help("one `#[fop(..)]` takes all options");
    }
    match fops.first().map(|fop| &fop.meta) {
        Some(Meta::List(list)) if !list.tokens.is_empty() => args::read::<FopOptions>(list.tokens.clone(), diagnostics),
        Some(other) => {
            diagnostics
                .error(other, "`#[fop]` says nothing without options")
                .help("`#[fop(guarded)]`, `#[fop(always)]` or `#[fop(unguarded, reason = \"..\")]`");
            FopOptions::default()
        }
        None => FopOptions::default(),
    }
}

/// What a parameter is marked as, which is then no part of the signature.
#[derive(Clone, Copy, PartialEq)]
enum Mark {
    Access,
    Device,
}

impl Mark {
    fn of(attribute: &Attribute) -> Option<Self> {
        [Self::Access, Self::Device].into_iter().find(|mark| is(attribute, mark.name()))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Device => "device",
        }
    }
}

/// The mark of a parameter, which is taken off.
fn take_mark(parameter: &mut PatType, diagnostics: &mut Diagnostics) -> Option<Mark> {
    let marks: Vec<Attribute> = parameter.attrs.extract_if(.., |attribute| Mark::of(attribute).is_some()).collect();
    let first = marks.first()?;
    let mark = Mark::of(first)?;
    if !matches!(first.meta, Meta::Path(_)) {
        diagnostics.error(&first.meta, format_args!("`#[{}]` takes no arguments", mark.name()));
    }
    for again in &marks[1..] {
        match Mark::of(again) {
            Some(other) if other != mark => {
                diagnostics
                    .error(again, "a parameter is the device or the access to its resources, not both")
                    .help("give each a parameter of its own");
            }
            _ => {
                diagnostics.error(again, format_args!("this parameter is marked `#[{}]` twice", mark.name()));
            }
        }
    }
    Some(mark)
}

/// Takes marks off the receiver and says where they belong.
fn reject_on_self(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) {
    reject_cfg_attr(attributes, diagnostics);
    for culprit in attributes.extract_if(.., |attribute| Mark::of(attribute).is_some()) {
        match Mark::of(&culprit) {
            Some(Mark::Access) => diagnostics
                .error(culprit, "`self` is the device, not the access to its resources")
                .help("give the access a parameter: `#[access] hw: &Access<'_, ..>`"),
            _ => diagnostics
                .error(
                    culprit,
                    "`#[device]` marks the parameter that is lent the device that `via` looks up, not `self`",
                )
                .help("give it a parameter: `#[device] device: &<Type>`"),
        };
    }
}

/// Takes off `#[cfg_attr(.., fop(..))]` and says why it cannot work.
fn reject_cfg_attr(attributes: &mut Vec<Attribute>, diagnostics: &mut Diagnostics) {
    for culprit in attributes.extract_if(.., |attribute| hides_helper(attribute)) {
        diagnostics
            .error(culprit, "`#[guarded_fops]` runs before `cfg_attr` is decided, and cannot see what it hides")
            .help("write the method twice, under `#[cfg(..)]` and under `#[cfg(not(..))]`");
    }
}

/// Whether a `cfg_attr` may become an attribute of ours: the path of one follows a comma.
fn hides_helper(attribute: &Attribute) -> bool {
    let Meta::List(list) = &attribute.meta else { return false };
    if !attribute.path().is_ident("cfg_attr") {
        return false;
    }
    let trees: Vec<TokenTree> = list.tokens.clone().into_iter().collect();
    let parts = trees.split(|tree| matches!(tree, TokenTree::Punct(punct) if punct.as_char() == ','));
    parts.skip(1).any(|attribute| {
        let path = attribute.iter().map_while(|tree| match tree {
            TokenTree::Ident(ident) => Some(Some(ident)),
            TokenTree::Punct(punct) if punct.as_char() == ':' => Some(None),
            _ => None,
        });
        path.flatten().last().is_some_and(|name| HELPERS.iter().any(|helper| name == helper))
    })
}
