//! The section of a method: how the device is found, the guard that opens it, and what is lent.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use syn::Expr;

use super::{
    Runtime, operand, replace_self,
    template::{put, tokens},
};
use crate::{
    args::Code,
    model::{Block, Method, Parameter, Work, bare, makes_value, plain_name},
    source::{Part, Source},
};

/// The way to the lifetime that a method enters.
pub(super) struct Section<'a> {
    block: &'a Block,
    method: &'a Method,
    work: &'a Work,
    descriptor: &'a Source,
    /// What is made on the way is bound first, so that it lives as long as the section.
    lookup: Option<Lookup<'a>>,
    /// The lifetime, or what it is to be called once it is found.
    lifetime: Source,
    /// The author's source on the way: the section may borrow from what it names.
    pub(super) source: Source,
}

/// A value that is made for each request.
struct Lookup<'a> {
    name: Ident,
    from: Source,
    /// The answer where there is none.
    not_found: Option<&'a Code>,
}

impl<'a> Section<'a> {
    /// The section of a method, if it is said where its lifetime is.
    pub(super) fn of(block: &'a Block, method: &'a Method, work: &'a Work, descriptor: &'a Source) -> Option<Self> {
        let here = Span::mixed_site();
        let lifetime = block.options.lifetime.as_ref()?;
        let via = method.via(&block.options);
        if via.is_some_and(|via| matches!(bare(&via.expression), Expr::Lit(_))) {
            return None;
        }
        let mut source = lifetime.source.clone();
        if let Some(via) = via {
            via.source.put(&mut source);
        }
        let mut section = Self { block, method, work, descriptor, lookup: None, lifetime: Source::default(), source };
        let not_found = method.not_found(&block.options);

        if let Some(via) = via {
            if makes_value(&via.expression) || not_found.is_some() || !method.device.is_empty() {
                // What is found has the author's own name for the device, if there is one.
                let name = match method.device.first().and_then(|device| plain_name(&device.pattern)) {
                    Some(name) => name.clone(),
                    None => Ident::new("__device", here.located_at(via.source.span())),
                };
                section.lifetime = super::lifetime(&block.options, &name)?;
                section.lookup = Some(Lookup { name, from: via.source.clone(), not_found });
            } else {
                section.lifetime = super::lifetime(&block.options, &operand(via))?;
            }
            return Some(section);
        }
        let this = method.receiver().map(|receiver| &receiver.this);
        // Without a receiver, `self` is where rustc misses it.
        let nowhere = Ident::new("self", here.located_at(lifetime.source.span()));
        let device = match this {
            None if !block.options.lifetime_is_global() => return None,
            this => this.unwrap_or(&nowhere),
        };
        if makes_value(&lifetime.expression) {
            let name = Ident::new("__lifetime", here.located_at(lifetime.source.span()));
            section.lifetime = super::lasting(&block.options, &name);
            // A `let` alone would make a temporary that is referred to last as long as the section.
            let made = replace_self(lifetime.source.clone(), device);
            let from = tokens!(here.located_at(name.span()), "::core::convert::identity(#made)", made);
            section.lookup = Some(Lookup { name, from, not_found });
        } else {
            section.lifetime = super::lifetime(&block.options, device)?;
        }
        Some(section)
    }

    /// The statements that find the device, open the section and lend what the author asks for.
    pub(super) fn open(&self, always: bool, opening: &mut Source) {
        let here = Span::mixed_site();
        let access = self.method.access.first();
        let may_be_missing = always && self.lookup.as_ref().is_some_and(|lookup| lookup.not_found.is_some());
        self.find(may_be_missing, opening);

        // The guard has the author's own name for the access, where that is a name: errors of the borrow checker then
        // speak of it. A name with an underscore says that the access is not used, and a name under a `#[cfg]` may not be.
        let mut guard = Ident::new("__guard", here);
        if let Some(access) = access {
            match plain_name(&access.pattern) {
                Some(name) if access.attributes.is_empty() && !name.to_string().starts_with('_') => {
                    guard = name.clone();
                }
                _ => {}
            }
        }
        let op = Ident::new("__op", here);
        put!(opening, here, "let #op = const { &#descriptor };", op, descriptor = self.descriptor);
        let enter = self.enter(&op);
        match &self.lookup {
            Some(Lookup { name, .. }) if may_be_missing => {
                let text = "let #guard = #name.as_ref().and_then(|#name| #enter.ok());";
                put!(opening, here, text, guard, name, enter);
            }
            _ if always => put!(opening, here, "let #guard = #enter.ok();", guard, enter),
            _ => self.open_guarded(&guard, &enter, opening),
        }

        let mut loans = Vec::new();
        if let Some(access) = access {
            loans.push((access, &guard, if always { "#name.as_ref()" } else { "&#name" }));
        }
        if let (Some(device), Some(Lookup { name, .. })) = (self.method.device.first(), &self.lookup) {
            loans.push((device, name, if may_be_missing { "#name.as_deref()" } else { "&#name" }));
        }
        lend(&loans, opening);
    }

    /// The call that opens the section. By its path, it is of the runtime's lifetimes and of nothing else.
    fn enter(&self, op: &Ident) -> Source {
        let Self { block, work, lifetime, .. } = self;
        // Where the field is no lifetime, the error points at the option that named it.
        let here = Span::mixed_site();
        let option = block.options.lifetime.as_ref().map_or(here, |code| here.located_at(code.source.span()));
        let runtime = Runtime::of(&block.options).at(option);
        let text = match work {
            Work::WithinCall => "#runtime::DeviceLifetime::enter(#runtime::__private::lifetime(&#lifetime), #op)",
            Work::Async | Work::Returned { .. } => "#runtime::__private::enter_owned(&#lifetime, #op).await",
        };
        tokens!(option, text, runtime, lifetime, op)
    }

    /// Binds what is looked up.
    fn find(&self, may_be_missing: bool, opening: &mut Source) {
        let Some(Lookup { name, from, not_found }) = &self.lookup else { return };
        let here = Span::mixed_site().located_at(name.span());
        match not_found {
            Some(answer) if !may_be_missing => {
                let answer = returned(answer);
                let text = "let ::core::option::Option::Some(#name) = #from else { #answer };";
                put!(opening, here, text, name, from, answer);
            }
            _ => put!(opening, here, "let #name = #from;", name, from),
        }
    }

    /// The statement that opens the section, or answers where it is refused.
    fn open_guarded(&self, guard: &Ident, enter: &Source, opening: &mut Source) {
        let here = Span::mixed_site();
        let method = self.method;
        if let Some(expression) = method.unplugged(&self.block.options) {
            let text = "let ::core::result::Result::Ok(#guard) = #enter else { #answer };";
            put!(opening, here, text, guard, enter, answer = returned(expression));
            return;
        }
        // A type without an answer is an error at the type, or at the name where none is written.
        let ty = match self.work {
            Work::Returned { output, .. } => output.clone(),
            _ if method.output.0.is_empty() => Some(Source(vec![unit(method.ident.span())])),
            _ => Some(method.output.clone()),
        };
        let span = ty.as_ref().map_or(here, |ty| here.located_at(ty.span()));
        let runtime = Runtime::of(&self.block.options).at(span);
        let why = Ident::new("__why", here);
        let answer = match ty {
            Some(ty) if !ty.mentions("impl") => {
                tokens!(span, "#runtime::__private::refused::<#ty>(#why)", runtime, ty, why)
            }
            // Such a type cannot be named again.
            _ => tokens!(span, "#runtime::__private::refused(#why)", runtime, why),
        };
        let open = Ident::new("__open", here);
        let text = "let #guard = match #enter { ::core::result::Result::Ok(#open) => #open, \
                    ::core::result::Result::Err(#why) => return #answer };";
        put!(opening, here, text, guard, enter, open, why, answer);
    }
}

fn unit(span: Span) -> TokenTree {
    let mut unit = Group::new(Delimiter::Parenthesis, TokenStream::new());
    unit.set_span(span);
    unit.into()
}

/// Lends to each parameter what is called so, in a form: one statement, unless one of them is there on a condition.
fn lend(loans: &[(&Parameter, &Ident, &str)], opening: &mut Source) {
    let here = Span::mixed_site();
    // So that errors about the loan point at the parameter.
    let lent = |(parameter, name, form): &(&Parameter, &Ident, &str)| {
        let loan = here.located_at(parameter.pattern.span());
        let mut name = (*name).clone();
        name.set_span(name.span().located_at(loan));
        tokens!(loan, form, name)
    };
    match loans {
        [(one, ..), (two, ..)] if one.attributes.is_empty() && two.attributes.is_empty() => {
            let (first, second) = (lent(&loans[0]), lent(&loans[1]));
            let text = "let (#one, #two): (#one_type, #two_type) = (#first, #second);";
            let (one_type, two_type) = (&one.ty, &two.ty);
            put!(opening, here, text, one = one.pattern, two = two.pattern, one_type, two_type, first, second);
        }
        _ => {
            for loan in loans {
                let Parameter { attributes, pattern, ty, .. } = loan.0;
                attributes.put(opening);
                put!(opening, here, "let #pattern: #ty = #loan;", pattern, ty, loan = lent(loan));
            }
        }
    }
}

/// The statement that returns an answer of the author's.
fn returned(answer: &Code) -> Source {
    let here = Span::mixed_site();
    let source = &answer.source;
    match bare(&answer.expression) {
        Expr::Tuple(unit) if unit.elems.is_empty() => tokens!(here, "return;"),
        // It returns by itself.
        Expr::Return(_) => tokens!(here, "#source;", source),
        // It may never come to an answer, as `todo!()`.
        Expr::Macro(_) | Expr::Call(_) | Expr::Block(_) | Expr::Loop(_) if !is_variant(&answer.expression) => {
            let text = "#[allow(unreachable_code, unused_braces, clippy::diverging_sub_expression)] return #source;";
            tokens!(here, text, source)
        }
        _ => tokens!(here, "return #source;", source),
    }
}

/// Whether it reads `Err(..)`, which comes to something.
fn is_variant(expression: &Expr) -> bool {
    let Expr::Call(call) = bare(expression) else { return false };
    let Expr::Path(path) = bare(&call.func) else { return false };
    let name = path.path.segments.last().map(|last| last.ident.to_string());
    name.is_some_and(|name| name.starts_with(char::is_uppercase))
}
