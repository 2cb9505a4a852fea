//! Model to tokens: the block with its guards, the table of its ops, and the impl of `Unplug`.

mod arguments;
mod body;
mod future;
mod method;
mod section;
pub(crate) mod template;
mod unplug;

use proc_macro2::{Group, Ident, Span, TokenTree};
use quote::ToTokens;
use syn::{Expr, ExprLit, GenericParam, Lit, Path, TypeParam, TypeParamBound};

use self::template::{put, tokens};
use crate::{
    args::{BlockOptions, Code, is_keyword},
    model::{Block, Method, NoBlock, bare, makes_value},
    ops::Policy,
    source::{self, Attribute, Cursor, Part, Source, is_punct},
};

/// The block as rustc is to see it, and what the author of one that could not be read wrote instead.
pub(crate) fn expand(parsed: Result<Block, NoBlock>) -> Source {
    match parsed {
        Ok(block) => expand_block(&block),
        Err(other) => other.item,
    }
}

fn expand_block(block: &Block) -> Source {
    let (mut output, mut methods, mut rows) = (Source::default(), Source::default(), Source::default());
    let type_name = block.type_name();
    let mut lends = false;
    for method in &block.methods {
        lends |= !(method.access.is_empty() && method.device.is_empty());
        let descriptor = descriptor(block, method, &type_name);
        method.before.put(&mut methods);
        method::expand(block, method, &descriptor, &mut methods);
        for attribute in &method.attributes {
            if attribute.is_builtin("cfg") {
                attribute.put(&mut rows);
            }
        }
        put!(&mut rows, Span::mixed_site(), "#descriptor,", descriptor);
    }
    block.rest.put(&mut methods);
    let mut braces = Group::new(block.braces.delimiter(), methods.into_stream());
    braces.set_span(block.braces.span());
    for attribute in &block.attributes {
        if !attribute.is("guarded_fops") {
            attribute.put(&mut output);
        }
    }
    // What is opened and what is lent of it have the name that the author has written once.
    if lends {
        put!(&mut output, Span::mixed_site(), "#[allow(clippy::shadow_same)]");
    }
    block.header.put(&mut output);
    output.0.push(TokenTree::Group(braces));

    table(block, &rows, &mut output);
    if let Some(hooks) = &block.unplug {
        unplug::expand(block, hooks, &mut output);
    }
    subdev_node(block, &mut output);
    output
}

/// The ops of the block as data, and which trait of the runtime's they are of.
fn table(block: &Block, rows: &Source, output: &mut Source) {
    // Two blocks of one name conflict here: rustc then shows the names.
    let here = Span::mixed_site().located_at(block.key_span());
    let runtime = Runtime::of(&block.options).at(here);
    let Claim { generics, self_ty, bounds } = &Claim::of(block);
    carried_over(&block.attributes, output);
    let key = block.key();
    let key = At(&key, here);
    put!(
        output,
        here,
        "#[automatically_derived]
        impl #generics #runtime::__private::Block<{ #runtime::__private::key(#key) }> for #self_ty #bounds {
            const OPS: &'static [#runtime::Op] = &[#rows];
        }",
        generics,
        runtime,
        key,
        self_ty,
        bounds,
        rows,
    );
    guards(block, output);
}

/// Whatever implements the block's trait: whether that is the runtime's, only rustc can tell, and it tells by this impl.
fn guards(block: &Block, output: &mut Source) {
    let Some(trait_) = &block.trait_ else { return };
    let here = Span::mixed_site().located_at(block.key_span());
    let key = block.key();
    let guards = match key.as_str() {
        "FileOperations" => Ident::new("GuardsFileOperations", here),
        "SubdevOperations" => Ident::new("GuardsSubdevOperations", here),
        _ => return,
    };
    let Claim { self_ty, bounds, .. } = &Claim::of(block);
    let any = Ident::new("__Guarded", here);
    let mut generics = block.generics.clone();
    let mut param = TypeParam::from(any.clone());
    param.bounds.push(TypeParamBound::Verbatim(trait_.to_token_stream()));
    generics.params.push(GenericParam::Type(param));
    let generics = Source::of(&generics.split_for_impl().0);
    carried_over(&block.attributes, output);
    put!(
        output,
        here,
        "#[automatically_derived]
        #[diagnostic::do_not_recommend]
        impl #generics #runtime::__private::#guards<#any> for #self_ty #bounds {
            const OPS: &'static [#runtime::Op] = <Self as #runtime::__private::Block<{ #runtime::__private::key(#key) }>>::OPS;
        }",
        key = At(&key, here),
        generics,
        runtime = Runtime::of(&block.options).at(here),
        guards,
        any,
        self_ty,
        bounds,
    );
}

/// `Op::guarded("Type", "name")`: every token is spanned at the method's name, because the
/// place of the call is the place that the op is reported at.
fn descriptor(block: &Block, method: &Method, type_name: &str) -> Source {
    let span = method.ident.span();
    let runtime = Runtime::of(&block.options).at(span);
    let name = method.name();
    let policy = method.policy(block).unwrap_or(Policy::Guarded);
    let op = match policy {
        Policy::Guarded => "guarded",
        Policy::Always => "always",
        Policy::Unguarded => "unguarded",
    };
    // A path of the author's stands elsewhere, and between brackets moves the call not there.
    let text = if block.options.runtime.0.is_some() { "<#runtime::Op>::#op" } else { "#runtime::Op::#op" };
    let mut descriptor = tokens!(span, text, runtime, op = Ident::new(op, span));
    let (type_name, name) = (At(type_name, span), At(&name, span));
    match (policy, &method.options.reason) {
        (Policy::Unguarded, Some(reason)) => {
            let reason = reason.0.value();
            let reason = At(&reason, span);
            put!(&mut descriptor, span, "(#type_name, #name, #reason)", type_name, name, reason);
        }
        (Policy::Unguarded, None) => {
            put!(&mut descriptor, span, "(#type_name, #name, \"\")", type_name, name)
        }
        _ => put!(&mut descriptor, span, "(#type_name, #name)", type_name, name),
    }
    if method.options.sleeps.0.is_some() {
        put!(&mut descriptor, span, ".sleeps()");
    } else if method.options.brief.0.is_some() {
        put!(&mut descriptor, span, ".brief()");
    }
    descriptor
}

/// A string at a place.
pub(crate) struct At<'a>(pub(crate) &'a str, pub(crate) Span);

impl Part for At<'_> {
    fn put(&self, output: &mut Source) {
        let mut string = proc_macro2::Literal::string(self.0);
        string.set_span(self.1);
        output.0.push(TokenTree::Literal(string));
    }
}

/// What a generated impl says of the type.
struct Claim {
    generics: Source,
    self_ty: Source,
    bounds: Source,
}

impl Claim {
    fn of(block: &Block) -> Self {
        let (generics, _, bounds) = block.generics.split_for_impl();
        Self { generics: Source::of(&generics), self_ty: Source::of(&block.self_ty), bounds: Source::of(&bounds) }
    }
}

impl Claim {
    /// For a trait that has nothing of the block's own: without the lifetimes that only its trait names.
    fn of_device(block: &Block) -> Self {
        let mut claim = Self::of(block);
        let mut generics = block.generics.clone();
        generics.params.clear();
        for param in &block.generics.params {
            let is_here = match param {
                GenericParam::Lifetime(param) => {
                    let name = param.lifetime.ident.to_string();
                    claim.self_ty.mentions(&name) || claim.bounds.mentions(&name)
                }
                _ => true,
            };
            if is_here {
                generics.params.push(param.clone());
            }
        }
        claim.generics = Source::of(&generics.split_for_impl().0);
        claim
    }
}

/// The claim that a subdev with this node has a release op.
fn subdev_node(block: &Block, output: &mut Source) {
    let Some(asked) = block.options.subdev.0 else { return };
    let here = Span::mixed_site().located_at(asked);
    let runtime = Runtime::of(&block.options).at(here);
    let Claim { generics, self_ty, bounds } = &Claim::of(block);
    carried_over(&block.attributes, output);
    let text = "#[automatically_derived] impl #generics #runtime::SubdevNode for #self_ty #bounds {}";
    put!(output, here, text, generics, runtime, self_ty, bounds);
}

/// The expression for the lifetime of the device that `device` leads to.
fn lifetime(options: &BlockOptions, device: &dyn Part) -> Option<Source> {
    let code = options.lifetime.as_ref()?;
    let mut output = Source::default();
    match bare(&code.expression) {
        // The field of a tuple struct.
        Expr::Lit(ExprLit { lit: Lit::Int(field), .. }) => {
            put!(&mut output, Span::mixed_site(), "#device.#field", device, field = Source::of(field));
        }
        Expr::Lit(_) => return None,
        Expr::Path(path) => match path.path.get_ident() {
            Some(field) if !is_keyword(field) => put!(&mut output, Span::mixed_site(), "#device.#field", device, field),
            Some(word) if word == "self" => device.put(&mut output),
            _ => output = code.source.clone(),
        },
        _ => output = replace_self(operand(code), device),
    }
    if makes_value(&code.expression) {
        output = lasting(options, &output);
    }
    Some(output)
}

/// The value of an expression for the lifetime, checked to be no lifetime that is made on the way.
fn lasting(options: &BlockOptions, value: &dyn Part) -> Source {
    // The error is one, however many methods there are: all are at the option.
    let option = options.lifetime.as_ref().map_or_else(Span::call_site, |code| code.source.span());
    let here = Span::mixed_site().located_at(option);
    tokens!(here, "#runtime::__private::lasting(&#value)", runtime = Runtime::of(options).at(here), value)
}

/// The expression in a form that `.field` or `.method()` may follow.
fn operand(code: &Code) -> Source {
    match bare(&code.expression) {
        Expr::Path(_)
        | Expr::Call(_)
        | Expr::MethodCall(_)
        | Expr::Field(_)
        | Expr::Index(_)
        | Expr::Paren(_)
        | Expr::Macro(_) => code.source.clone(),
        _ => tokens!(Span::mixed_site(), "(#code)", code = code.source),
    }
}

/// The expression with `device` for each `self`, except where that begins a path.
fn replace_self(source: Source, device: &dyn Part) -> Source {
    let mut output = Source::default();
    let mut trees = Cursor::of(source);
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Ident(ident) if ident == "self" && !is_punct(trees.peek(0), ':') => device.put(&mut output),
            TokenTree::Group(group) => {
                let inside = replace_self(Source(source::trees(group.stream())), device);
                let mut replaced = Group::new(group.delimiter(), inside.into_stream());
                replaced.set_span(group.span());
                output.0.push(TokenTree::Group(replaced));
            }
            tree => output.0.push(tree),
        }
    }
    output
}

/// Writes the attributes of the author's impl that hold for the generated ones too.
fn carried_over(attributes: &[Attribute], output: &mut Source) {
    for attribute in attributes {
        if attribute.is_builtin("cfg") || attribute.is_builtin("allow") {
            attribute.put(output);
        } else if attribute.is_builtin("expect") {
            // What the author expects of the block need not be there in this impl, too.
            put!(output, Span::mixed_site(), "#[allow #rest]", rest = attribute.rest);
        }
    }
}

/// The path of the runtime.
pub(crate) struct Runtime<'a>(pub(crate) Option<&'a Path>, pub(crate) Span);

impl<'a> Runtime<'a> {
    fn of(options: &'a BlockOptions) -> Self {
        Self(options.runtime.0.as_ref(), Span::mixed_site())
    }

    /// The path with its tokens at `span`.
    fn at(self, span: Span) -> Self {
        Self(self.0, span)
    }
}

impl Part for Runtime<'_> {
    fn put(&self, output: &mut Source) {
        match self.0 {
            None => put!(output, self.1, "::fops_runtime"),
            // As its author gave it: with its hygiene, `$crate` means the crate of the macro that wrote it; and with its
            // place, so that a path which leads nowhere is one error, however often it stands.
            Some(path) => Source::of(path).put(output),
        }
    }
}

#[cfg(test)]
mod tests;
