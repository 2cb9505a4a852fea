//! What the author wrote: the outcome of parsing, and all that rules and expansion look at.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Expr, GenericArgument, Generics, Ident, Pat, PatType, Path, PathArguments, Receiver, ReceiverKind,
    ReturnType, Signature, Token, Type, Visibility, ext::IdentExt,
};

use crate::{
    args::{BlockOptions, FopOptions, UnplugHooks},
    diagnostics::written,
    ops::{self, Policy},
};

/// An impl block under `#[guarded_fops]`.
pub(crate) struct Block {
    pub(crate) options: BlockOptions,
    /// Whether all options could be read: if not, none is missed.
    pub(crate) options_are_sound: bool,
    /// The hooks of the impl of `Unplug`, if that is asked for.
    pub(crate) unplug: Option<UnplugHooks>,
    pub(crate) attributes: Vec<Attribute>,
    /// From the first attribute to the where clause, as written.
    pub(crate) header: TokenStream,
    pub(crate) generics: Generics,
    pub(crate) trait_: Option<Path>,
    pub(crate) self_ty: Type,
    /// The braces, for their span; their content is `inner_attributes` and `items`.
    pub(crate) braces: Group,
    pub(crate) inner_attributes: Vec<Attribute>,
    pub(crate) items: Vec<Item>,
}

/// An item of the block.
pub(crate) enum Item {
    Method(Box<Method>),
    /// Constants, types, and whatever could not be parsed: passed on as it is.
    Other(TokenStream),
}

/// A method, its body unparsed.
pub(crate) struct Method {
    /// Without those that are ours.
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) defaultness: Option<Token![default]>,
    /// As the trait sees it: without access and device.
    pub(crate) signature: Signature,
    /// The `#[access]` parameters, without that attribute: at most one, if no mistake was made.
    pub(crate) access: Vec<PatType>,
    /// The `#[device]` parameters, likewise.
    pub(crate) device: Vec<PatType>,
    pub(crate) options: FopOptions,
    pub(crate) body: Group,
    /// No error has been found in it. Otherwise it is expanded without a guard and with a
    /// placeholder for the access, so that nothing follows from the error.
    pub(crate) sound: bool,
}

/// Why a method has no policy.
pub(crate) enum NoPolicy {
    /// Its name is not known, and the block has no default.
    Unknown,
    /// Its name sounds like a release, where a default would be a guess.
    Release,
}

impl Block {
    pub(crate) fn methods(&self) -> impl Iterator<Item = &Method> {
        self.items.iter().filter_map(|item| match item {
            Item::Method(method) => Some(&**method),
            Item::Other(_) => None,
        })
    }

    /// Whether the block looks a device up for each request, rather than being of one.
    pub(crate) fn looks_up(&self) -> bool {
        let via = self.options.via.as_ref();
        via.is_some_and(|via| mentions(via.0.to_token_stream(), "self")) || self.options.not_found.is_some()
    }

    /// The name of the device's type, as the ops are reported under it.
    pub(crate) fn type_name(&self) -> String {
        match last_segment(&self.self_ty) {
            Some(last) => last.ident.unraw().to_string(),
            None => written(&self.self_ty),
        }
    }

    /// The name that the table of ops is found under: the trait's, else the type's.
    pub(crate) fn key(&self) -> String {
        let trait_name = || Some(self.trait_.as_ref()?.segments.last()?.ident.unraw().to_string());
        match &self.options.name {
            Some(name) => name.0.clone(),
            None => trait_name().unwrap_or_else(|| self.type_name()),
        }
    }

    /// The type of the resources: as given, else that of the first access.
    pub(crate) fn resources(&self) -> Option<&Type> {
        let mut accesses = self.methods().flat_map(|method| &method.access);
        let given = self.options.resources.0.as_ref();
        given.or_else(|| accesses.find_map(|access| lent(&access.ty)))
    }
}

impl Method {
    /// The name, without `r#`.
    pub(crate) fn name(&self) -> String {
        self.signature.ident.unraw().to_string()
    }

    /// The policy: its own, else by its name, else the block's.
    pub(crate) fn policy(&self, block: &BlockOptions) -> Result<Policy, NoPolicy> {
        let name = self.name();
        if let Some((policy, _)) = self.options.policies().next() {
            return Ok(policy);
        }
        if let Some(policy) = ops::policy_of(&name) {
            return Ok(policy);
        }
        if ops::sounds_like_release(&name) {
            return Err(NoPolicy::Release);
        }
        block.default.map(|default| default.0).ok_or(NoPolicy::Unknown)
    }

    /// The answer once the device is gone, where the author gives one.
    pub(crate) fn unplugged<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Expr> {
        let own = self.options.unplugged.as_ref();
        own.or(block.unplugged.as_ref()).map(|code| &code.0)
    }

    /// What stands for the device in this method, where that is not `self`: its own `via`, else the block's
    /// where there is no `self`, or where the block's looks a device up through it.
    pub(crate) fn via<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Expr> {
        let receiver = self.signature.receiver().is_some();
        let default = block.via.as_ref().filter(|via| !receiver || mentions(via.0.to_token_stream(), "self"));
        self.options.via.as_ref().or(default).map(|code| &code.0)
    }

    /// The answer where the device is not found, where the author gives one.
    pub(crate) fn not_found<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Expr> {
        let own = self.options.not_found.as_ref();
        own.or(block.not_found.as_ref()).map(|code| &code.0)
    }

    /// Whether it takes the device by value and nothing of it: the release op of a subdev. There is no section that
    /// could borrow from the device, and none that it would need.
    pub(crate) fn consumes_device(&self, block: &BlockOptions) -> bool {
        let by_value = |receiver: &Receiver| matches!(receiver.kind, ReceiverKind::Value);
        let receiver = self.signature.receiver().is_some_and(by_value);
        receiver && self.access.is_empty() && self.via(block).is_none()
    }

    /// Whether `#[async_trait]` made it what it is.
    pub(crate) fn generics_of_async_trait(&self) -> bool {
        self.signature.generics.lifetimes().any(|lifetime| lifetime.lifetime.ident == "async_trait")
    }

    /// The type it returns, unless that is `()` by silence.
    pub(crate) fn returns(&self) -> Option<&Type> {
        match &self.signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }
}

/// Whether the type says `Option<..>`, by that name: what it means is rustc's to know.
pub(crate) fn is_option(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "Option")
}

/// `R`, where the type of an access reads `&Access<'_, R>`, perhaps in an `Option`.
///
/// The name counts only here, where a wrong guess is a type error and `resources` overrules it.
fn lent(ty: &Type) -> Option<&Type> {
    if let Type::Reference(reference) = ungrouped(ty) {
        return lent(&reference.elem);
    }
    let segment = last_segment(ty)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
        return None;
    };
    let argument = arguments.args.iter().rev().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })?;
    if segment.ident == "Option" { lent(argument) } else { (segment.ident == "Access").then_some(argument) }
}

fn last_segment(ty: &Type) -> Option<&syn::PathSegment> {
    match ungrouped(ty) {
        Type::Path(path) => path.path.segments.last(),
        _ => None,
    }
}

/// The type within the groups of macro fragments and parentheses.
pub(crate) fn ungrouped(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => ungrouped(&group.elem),
        Type::Paren(paren) => ungrouped(&paren.elem),
        ty => ty,
    }
}

/// Whether the source has this name in it.
pub(crate) fn mentions(source: TokenStream, name: &str) -> bool {
    source.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => mentions(group.stream(), name),
        _ => false,
    })
}

/// Whether an expression makes a value, which is bound before it is used, rather than naming a place. What a
/// macro makes may be either and is left where it stands.
pub(crate) fn makes_value(expression: &Expr) -> bool {
    match expression {
        Expr::Group(group) => makes_value(&group.expr),
        Expr::Paren(paren) => makes_value(&paren.expr),
        Expr::Path(_) | Expr::Field(_) | Expr::Index(_) | Expr::Reference(_) | Expr::Unary(_) | Expr::Macro(_) => false,
        _ => true,
    }
}

/// The name that a pattern binds, if it is nothing but a name.
pub(crate) fn plain_name(pat: &Pat) -> Option<&Ident> {
    match pat {
        Pat::Ident(pat) if pat.subpat.is_none() && pat.by_ref.is_none() => Some(&pat.ident),
        _ => None,
    }
}
