//! What the author wrote: the outcome of parsing, and all that rules and expansion look at.

#[cfg(test)]
mod tests;
mod work;

use proc_macro2::{Group, Ident, Span, TokenTree};
use quote::ToTokens;
use syn::{Expr, GenericArgument, Generics, Path, PathArguments, Type, ext::IdentExt, spanned::Spanned};

pub(crate) use self::work::Work;
use crate::{
    args::{BlockOptions, Code, FopOptions, UnplugHooks},
    diagnostics::{Outcome, written},
    ops::{self, Policy},
    source::{Attribute, Source, is_punct, parsed, unraw},
};

/// An item that could not be read as an impl block.
pub(crate) struct NoBlock {
    /// As it goes on to rustc.
    pub(crate) item: Source,
}

/// An impl block under `#[guarded_fops]`.
pub(crate) struct Block {
    pub(crate) options: BlockOptions,
    /// Whether all options could be read: if not, none is missed.
    pub(crate) options_read: Outcome,
    /// The hooks of the impl of `Unplug`, if that is asked for.
    pub(crate) unplug: Option<UnplugHooks>,
    pub(crate) attributes: Vec<Attribute>,
    /// From after the attributes to the where clause, as written.
    pub(crate) header: Source,
    pub(crate) generics: Generics,
    pub(crate) trait_: Option<Path>,
    pub(crate) self_ty: Type,
    /// The braces, for their span; their content is `methods` and `rest`.
    pub(crate) braces: Group,
    pub(crate) methods: Vec<Method>,
    /// What follows the last method.
    pub(crate) rest: Source,
}

/// A method, its body unread.
pub(crate) struct Method {
    /// What stands before it and is none: constants, types, and whatever could not be parsed.
    pub(crate) before: Source,
    /// Without those that are ours.
    pub(crate) attributes: Vec<Attribute>,
    /// From the visibility to the keyword `fn`.
    pub(crate) qualifiers: Source,
    pub(crate) constness: Option<Span>,
    pub(crate) asyncness: Option<Span>,
    pub(crate) ident: Ident,
    pub(crate) generics: Source,
    /// The parentheses, for their span; their content is `inputs`.
    pub(crate) parentheses: Group,
    /// As the trait sees them: without access and device.
    pub(crate) inputs: Vec<Input>,
    pub(crate) arrow: Source,
    /// The type that is returned; empty where none is written.
    pub(crate) output: Source,
    pub(crate) where_clause: Source,
    /// The `#[access]` parameters, without that attribute: at most one, if no mistake was made.
    pub(crate) access: Vec<Parameter>,
    /// The `#[device]` parameters, likewise.
    pub(crate) device: Vec<Parameter>,
    pub(crate) options: FopOptions,
    pub(crate) body: Group,
    /// Whether no error has been found in it. If one has, it is expanded without a guard and with a
    /// placeholder for the access, so that nothing follows from the error.
    pub(crate) outcome: Outcome,
}

/// What a method takes, with the comma behind it.
pub(crate) struct Input {
    pub(crate) kind: InputKind,
    pub(crate) comma: Option<TokenTree>,
}

pub(crate) enum InputKind {
    Receiver(Receiver),
    Parameter(Parameter),
    /// `...`, and what rustc does not accept.
    Other(Source),
}

/// `self` in some form.
pub(crate) struct Receiver {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) written: Source,
    pub(crate) this: Ident,
    /// `self` or `mut self`.
    pub(crate) is_by_value: bool,
}

/// `pattern: type`.
pub(crate) struct Parameter {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) pattern: Source,
    pub(crate) colon: TokenTree,
    pub(crate) ty: Source,
}

/// Why a method has no policy.
pub(crate) enum NoPolicy {
    /// Its name is not known, and the block has no default.
    Unknown,
    /// Its name sounds like a release, where a default would be a guess.
    Release,
}

impl Block {
    /// Whether the block looks a device up for each request, rather than being of one.
    pub(crate) fn looks_up(&self) -> bool {
        let by_via = self.options.via.as_ref().is_some_and(|via| via.mentions_self);
        by_via || self.options.not_found.is_some()
    }

    /// Whether one of the methods has this name.
    pub(crate) fn has_method(&self, name: &str) -> bool {
        for method in &self.methods {
            if method.ident == name {
                return true;
            }
        }
        false
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
        self.named_by().map_or_else(|| written(&self.self_ty), |ident| ident.unraw().to_string())
    }

    /// Where that name is written.
    pub(crate) fn key_span(&self) -> Span {
        self.named_by().map_or_else(|| self.self_ty.span(), Ident::span)
    }

    fn named_by(&self) -> Option<&Ident> {
        if let Some(name) = &self.options.name {
            return Some(&name.0);
        }
        let last = match &self.trait_ {
            Some(path) => path.segments.last(),
            None => last_segment(&self.self_ty),
        };
        last.map(|last| &last.ident)
    }

    /// The type of the resources: as given, else that of the first access.
    pub(crate) fn resources(&self) -> Option<Type> {
        if let Some(given) = &self.options.resources.0 {
            return Some(given.clone());
        }
        // An access that is there on a condition may not be there.
        let mut conditional = None;
        for method in &self.methods {
            for access in &method.access {
                let ty = parsed::<Type>(access.ty.to_token_stream()).ok();
                let Some(resources) = ty.as_ref().and_then(lent) else { continue };
                if !has_cfg(&access.attributes) {
                    return Some(resources.clone());
                }
                if conditional.is_none() {
                    conditional = Some(resources.clone());
                }
            }
        }
        conditional
    }
}

fn has_cfg(attributes: &[Attribute]) -> bool {
    for attribute in attributes {
        if attribute.is_builtin("cfg") {
            return true;
        }
    }
    false
}

impl BlockOptions {
    /// Whether `lifetime` leads there without a device: a path to a static, such as `crate::DEVICE`, or what a call
    /// without `self` returns.
    pub(crate) fn lifetime_is_global(&self) -> bool {
        let Some(lifetime) = &self.lifetime else { return false };
        match bare(&lifetime.expression) {
            // A name by itself is a field, and so is a number.
            Expr::Path(path) => path.path.get_ident().is_none(),
            Expr::Lit(_) => false,
            _ => !lifetime.mentions_self,
        }
    }
}

impl Method {
    /// The name, without `r#`.
    pub(crate) fn name(&self) -> String {
        unraw(self.ident.to_string())
    }

    /// The policy: its own, else by its name in the block's trait, else the block's.
    pub(crate) fn policy(&self, block: &Block) -> Result<Policy, NoPolicy> {
        if let Some((policy, _)) = self.options.policy() {
            return Ok(policy);
        }
        let name = self.name();
        let known = block.trait_.as_ref().and_then(|_| ops::policy_of(&block.key(), &name));
        if let Some(policy) = known {
            return Ok(policy);
        }
        if ops::sounds_like_release(&name) {
            return Err(NoPolicy::Release);
        }
        block.options.default.map(|default| default.0).ok_or(NoPolicy::Unknown)
    }

    /// The answer once the device is gone, where the author gives one.
    pub(crate) fn unplugged<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Code> {
        let own = self.options.unplugged.as_ref();
        own.or(block.unplugged.as_ref())
    }

    /// What stands for the device in this method, where that is not `self`: its own `via`, else the block's
    /// where there is no `self`, or where the block's looks a device up through it.
    pub(crate) fn via<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Code> {
        let default = block.via.as_ref().filter(|via| via.mentions_self || self.receiver().is_none());
        self.options.via.as_ref().or(default)
    }

    /// The answer where the device is not found, where the author gives one.
    pub(crate) fn not_found<'a>(&'a self, block: &'a BlockOptions) -> Option<&'a Code> {
        let own = self.options.not_found.as_ref();
        own.or(block.not_found.as_ref())
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        match &self.inputs.first()?.kind {
            InputKind::Receiver(receiver) => Some(receiver),
            _ => None,
        }
    }

    /// Whether it takes the device by value and nothing of it: the release op of a subdev. There is no section that
    /// could borrow from the device, and none that it would need.
    pub(crate) fn consumes_device(&self, block: &BlockOptions) -> bool {
        let receiver = self.receiver().is_some_and(|receiver| receiver.is_by_value);
        receiver && self.access.is_empty() && self.via(block).is_none()
    }

    /// Whether something else than parameters, which rustc rejects, stands between its parentheses.
    pub(crate) fn is_broken(&self) -> bool {
        for input in &self.inputs {
            let InputKind::Other(other) = &input.kind else { continue };
            if !other.0.is_empty() && !is_punct(other.0.first(), '.') {
                return true;
            }
        }
        false
    }

    /// Whether `#[async_trait]` made it what it is.
    pub(crate) fn generics_of_async_trait(&self) -> bool {
        self.generics.mentions("async_trait")
    }

    /// The type it returns, looked into; none where that is `()` by silence.
    pub(crate) fn returns(&self) -> Option<Type> {
        if self.output.0.is_empty() { None } else { parsed(self.output.to_token_stream()).ok() }
    }
}

/// Whether the type says `Option<..>`, by that name: what it means is rustc's to know.
pub(crate) fn is_option(ty: &Source) -> bool {
    ty.path_name().is_some_and(|name| name == "Option")
}

/// `R`, where the type of an access reads `&Access<'_, R>` or `&OwnedAccess<R>`, perhaps in an `Option`.
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
    let mut last = None;
    for argument in &arguments.args {
        if let GenericArgument::Type(ty) = argument {
            last = Some(ty);
        }
    }
    let argument = last?;
    match segment.ident.to_string().as_str() {
        "Option" => lent(argument),
        "Access" | "OwnedAccess" => Some(argument),
        _ => None,
    }
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

/// The expression within the groups of macro fragments.
pub(crate) fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => bare(&group.expr),
        expression => expression,
    }
}

/// Whether an expression makes a value, which is bound before it is used, rather than naming a place. What a
/// macro makes may be either and is left where it stands.
pub(crate) fn makes_value(expression: &Expr) -> bool {
    match expression {
        Expr::Group(group) => makes_value(&group.expr),
        Expr::Paren(paren) => makes_value(&paren.expr),
        Expr::Path(_)
        | Expr::Field(_)
        | Expr::Index(_)
        | Expr::Reference(_)
        | Expr::Unary(_)
        | Expr::Macro(_)
        | Expr::Lit(_) => false,
        _ => true,
    }
}

/// The name that a pattern binds, if it is nothing but a name, which may be `mut`.
pub(crate) fn plain_name(pattern: &Source) -> Option<&Ident> {
    let name = match &pattern.0[..] {
        [TokenTree::Ident(name)] => name,
        [TokenTree::Ident(qualifier), TokenTree::Ident(name)] if qualifier == "mut" => name,
        _ => return None,
    };
    (name != "_").then_some(name)
}
