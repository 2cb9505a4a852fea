//! The section of a method: how the device is found, the guard that opens it, and what is lent.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote_spanned};
use syn::{Expr, PatType, spanned::Spanned};

use super::{Runtime, future::Work, operand, replace_self, ungrouped};
use crate::{
    model::{Block, Method, makes_value, plain_name},
    ops::Policy,
};

/// The way to the lifetime that a method enters.
pub(super) struct Section<'a> {
    block: &'a Block,
    method: &'a Method,
    policy: Policy,
    work: &'a Work,
    descriptor: &'a TokenStream,
    /// What is made on the way is bound first, so that it lives as long as the section.
    lookup: Option<Lookup>,
    /// The lifetime, or what it is to be called once it is found.
    lifetime: TokenStream,
    /// The author's source on the way: the section may borrow from what it names.
    pub(super) source: TokenStream,
}

/// A value that is made for each request.
struct Lookup {
    name: Ident,
    from: TokenStream,
    /// The answer where there is none.
    not_found: Option<Expr>,
}

impl<'a> Section<'a> {
    /// The section of a method, if it is said where its lifetime is.
    pub(super) fn of(
        block: &'a Block,
        method: &'a Method,
        policy: Policy,
        work: &'a Work,
        descriptor: &'a TokenStream,
    ) -> Option<Self> {
        let here = Span::mixed_site();
        let lifetime = ungrouped(&block.options.lifetime.as_ref()?.0);
        let via = method.via(&block.options);
        if [Some(lifetime), via].into_iter().flatten().any(|code| matches!(code, Expr::Lit(_))) {
            return None;
        }
        let receiver = method.signature.receiver().map(|receiver| receiver.self_token.to_token_stream());
        let not_found = method.not_found(&block.options).cloned();
        let mut source = lifetime.to_token_stream();
        source.extend(via.map(ToTokens::to_token_stream));
        let section = |lookup, lifetime| Self { block, method, policy, work, descriptor, lookup, lifetime, source };

        if let Some(via) = via {
            if makes_value(via) || not_found.is_some() || !method.device.is_empty() {
                let name = Ident::new("device", here.located_at(via.span()));
                let lifetime = super::lifetime(&block.options, &name.to_token_stream())?;
                return Some(section(Some(Lookup { name, from: via.to_token_stream(), not_found }), lifetime));
            }
            return Some(section(None, super::lifetime(&block.options, &operand(via))?));
        }
        let device = receiver?;
        if makes_value(lifetime) {
            let name = Ident::new("lifetime", here.located_at(lifetime.span()));
            let from = super::lifetime(&block.options, &device).map(|from| unparenthesized(lifetime, &device, from))?;
            let lifetime = name.to_token_stream();
            return Some(section(Some(Lookup { name, from, not_found }), lifetime));
        }
        Some(section(None, super::lifetime(&block.options, &device)?))
    }

    /// The statements that find the device, open the section and lend what the author asks for.
    pub(super) fn opening(&self) -> TokenStream {
        let here = Span::mixed_site();
        let is_optional = self.policy == Policy::Always && self.lookup.as_ref().is_some_and(|l| l.not_found.is_some());
        let mut opening = self.lookup(is_optional);
        let access = self.method.access.first();
        let name = guard_name(access);
        let enter = self.enter();
        // So that errors about the loan point at the parameter.
        let loan = here.located_at(access.map_or(here, |access| access.pat.span()));
        let lent = match (self.policy, &self.lookup) {
            (Policy::Always, Some(Lookup { name: found, .. })) if is_optional => {
                opening.extend(quote_spanned! {here=>
                    let #name = #found.as_ref().and_then(|#found| #enter.ok());
                });
                quote_spanned!(loan=> #name.as_ref())
            }
            (Policy::Always, _) => {
                opening.extend(quote_spanned!(here=> let #name = #enter.ok();));
                quote_spanned!(loan=> #name.as_ref())
            }
            _ => {
                let answer = answer(self.block, self.method, self.work);
                opening.extend(quote_spanned! {here=>
                    let ::core::result::Result::Ok(#name) = #enter else { #answer };
                });
                quote_spanned!(loan=> &#name)
            }
        };
        if let Some(PatType { attrs, pat, ty, .. }) = access {
            opening.extend(quote_spanned!(here=> #(#attrs)* let #pat: #ty = #lent;));
        }
        if let (Some(PatType { attrs, pat, ty, .. }), Some(_)) = (self.method.device.first(), &self.lookup) {
            let loan = here.located_at(pat.span());
            let found = Ident::new("device", loan);
            let lent =
                if is_optional { quote_spanned!(loan=> #found.as_deref()) } else { quote_spanned!(loan=> &#found) };
            opening.extend(quote_spanned!(here=> #(#attrs)* let #pat: #ty = #lent;));
        }
        opening
    }

    /// Binds what is looked up.
    fn lookup(&self, is_optional: bool) -> TokenStream {
        let Some(Lookup { name, from, not_found }) = &self.lookup else {
            return TokenStream::new();
        };
        let here = Span::mixed_site().located_at(name.span());
        match not_found {
            Some(answer) if !is_optional => {
                let answer = returned(answer);
                quote_spanned! {here=>
                    let ::core::option::Option::Some(#name) = #from else { #answer };
                }
            }
            _ => quote_spanned!(here=> let #name = #from;),
        }
    }

    /// The call that opens the section.
    fn enter(&self) -> TokenStream {
        let here = Span::mixed_site();
        let (lifetime, descriptor) = (&self.lifetime, self.descriptor);
        // Where the field is no lifetime, the error points at the option that named it.
        let option = self.block.options.lifetime.as_ref().map_or(here, |code| code.0.span());
        let enter = if matches!(self.work, Work::WithinCall) { "enter" } else { "enter_owned" };
        let enter = Ident::new(enter, here.located_at(option));
        quote_spanned!(here=> #lifetime.#enter(const { &#descriptor }))
    }
}

/// The author's expression for the lifetime without the parentheses that a call upon it would need.
fn unparenthesized(written: &Expr, device: &TokenStream, otherwise: TokenStream) -> TokenStream {
    match written {
        Expr::Path(_) => otherwise,
        _ => replace_self(written.to_token_stream(), device),
    }
}

/// The guard has the author's own name for the access, where that is a name: errors of the
/// borrow checker then speak of it.
fn guard_name(access: Option<&PatType>) -> Ident {
    match access {
        None => Ident::new("_guard", Span::mixed_site()),
        Some(access) => plain_name(&access.pat).cloned().unwrap_or_else(|| Ident::new("guard", Span::mixed_site())),
    }
}

/// The statement that answers for a device that is gone.
fn answer(block: &Block, method: &Method, work: &Work) -> TokenStream {
    if let Some(expression) = method.unplugged(&block.options) {
        return returned(expression);
    }
    // A type without an answer is an error at the type, or at the name where none is written.
    let unit = quote_spanned!(method.signature.ident.span()=> ());
    let ty = match work {
        Work::Returned { output, .. } => output.clone(),
        _ => Some(method.returns().map_or(unit, ToTokens::to_token_stream)),
    };
    let span = Span::mixed_site().located_at(ty.span());
    let runtime = Runtime::of(&block.options).at(span);
    match ty.filter(|ty| !has_opaque(ty.clone())) {
        Some(ty) => quote_spanned!(span=> return #runtime::unplugged::<#ty>();),
        None => quote_spanned!(span=> return #runtime::unplugged();),
    }
}

/// The statement that returns an answer of the author's.
fn returned(answer: &Expr) -> TokenStream {
    let here = Span::mixed_site();
    match ungrouped(answer) {
        Expr::Tuple(unit) if unit.elems.is_empty() => quote_spanned!(here=> return;),
        expression => quote_spanned!(here=> return #expression;),
    }
}

/// Whether `impl Trait` stands somewhere in the type: such a type cannot be named again.
fn has_opaque(ty: TokenStream) -> bool {
    ty.into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_opaque(group.stream()),
        _ => false,
    })
}
