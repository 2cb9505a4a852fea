//! Model to tokens: the block with its guards, the table of its ops, and the impl of `Unplug`.

mod arguments;
mod body;
pub(crate) mod future;
mod method;
mod section;

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Expr, Path, Type};

use crate::{
    args::{BlockOptions, UnplugHooks},
    diagnostics::Diagnostics,
    model::{Block, Item, Method},
    ops::Policy,
    parse, validate,
};

/// All of `#[guarded_fops]`. Whatever is wrong, the author's item is part of the outcome.
pub(crate) fn guarded_fops(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    let mut output = match parse::parse(arguments, item.clone(), &mut diagnostics) {
        Some(mut block) => {
            validate::validate(&mut block, &mut diagnostics);
            expand(&block)
        }
        None => parse::without_helpers(item),
    };
    output.extend(diagnostics.into_compile_errors());
    output
}

/// All of `#[fop]`: it is reached only where no `#[guarded_fops]` took it away.
pub(crate) fn stray_fop(mut item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    diagnostics
        .error_at(Span::call_site(), "`#[fop]` does nothing outside an impl block under `#[guarded_fops]`")
        .help("`#[guarded_fops(lifetime = <field>)]` on the impl block");
    item.extend(diagnostics.into_compile_errors());
    item
}

fn expand(block: &Block) -> TokenStream {
    let type_name = block.type_name();
    let descriptors: Vec<TokenStream> = block.methods().map(|method| descriptor(block, method, &type_name)).collect();
    let mut output = guarded_block(block, &descriptors);
    output.extend(table(block, &descriptors));
    if let Some(hooks) = &block.unplug {
        output.extend(unplug(block, hooks));
        output.extend(unplug_with_subdevs(block, hooks));
    }
    output.extend(subdev_node(block));
    output
}

/// The author's impl block, a guard in front of each body.
fn guarded_block(block: &Block, descriptors: &[TokenStream]) -> TokenStream {
    let inner_attributes = &block.inner_attributes;
    let mut descriptors = descriptors.iter();
    let items = block.items.iter().map(|item| match item {
        Item::Method(method) => method::expand(block, method, descriptors.next().expect("each method has one")),
        Item::Other(tokens) => tokens.clone(),
    });
    let mut braces = Group::new(block.braces.delimiter(), quote!(#(#inner_attributes)* #(#items)*));
    braces.set_span(block.braces.span());
    let header = if block.attributes.iter().any(|attribute| parse::is(attribute, "guarded_fops")) {
        parse::without_attributes(block.header.clone(), &["guarded_fops"])
    } else {
        block.header.clone()
    };
    quote!(#header #braces)
}

/// The ops of the block as data: `impl Guarded`.
fn table(block: &Block, descriptors: &[TokenStream]) -> TokenStream {
    let here = Span::mixed_site();
    let runtime = Runtime::of(&block.options).at(here);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let (attributes, self_ty, key) = (carried_over(&block.attributes), &block.self_ty, block.key());
    let rows = block.methods().zip(descriptors).map(|(method, descriptor)| {
        let conditions = conditions(&method.attributes);
        quote!(#(#conditions)* #descriptor)
    });
    quote_spanned! {here=>
        #(#attributes)*
        #[automatically_derived]
        impl #generics #runtime::Guarded<{ #runtime::key(#key) }> for #self_ty #bounds {
            const OPS: &'static [#runtime::Op] = &[#(#rows),*];
        }
    }
}

/// `Op::guarded("Type", "name")`: every token is spanned at the method's name, because the
/// place of the call is the place that the op is reported at.
fn descriptor(block: &Block, method: &Method, type_name: &str) -> TokenStream {
    let span = method.signature.ident.span();
    let runtime = Runtime::of(&block.options).at(span);
    let name = method.name();
    let policy = method.policy(&block.options).unwrap_or(Policy::Guarded);
    match policy {
        Policy::Guarded => quote_spanned!(span=> #runtime::Op::guarded(#type_name, #name)),
        Policy::Always => quote_spanned!(span=> #runtime::Op::always(#type_name, #name)),
        Policy::Unguarded => {
            let reason = method.options.reason.as_ref();
            let reason = reason.map_or(String::new(), |reason| reason.0.value());
            quote_spanned!(span=> #runtime::Op::unguarded(#type_name, #name, #reason))
        }
    }
}

/// `impl Unplug`: where the lifetime is, and the driver's hooks.
fn unplug(block: &Block, hooks: &UnplugHooks) -> Option<TokenStream> {
    // What rustc has against this impl, it says of the option that asks for it.
    let asked = block.options.unplug.as_ref()?.span;
    let here = Span::mixed_site().located_at(asked);
    let runtime = Runtime::of(&block.options).at(here);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let (attributes, self_ty) = (carried_over(&block.attributes), &block.self_ty);
    let resources: &Type = block.resources()?;
    let this = Ident::new("self", here);
    let lifetime = match lifetime(&block.options, &this.to_token_stream()) {
        Some(lifetime) if !block.looks_up() => quote_spanned!(here=> &#lifetime),
        // An error already: who calls `unplug` need not hear of it.
        _ => quote_spanned!(here=> #runtime::__private::any()),
    };
    let stop = hooks.stop.as_ref().map(|hook| {
        let hook = &hook.0;
        quote_spanned! {here=>
            fn stop(&#this, resources: &#resources, cause: #runtime::Cause) {
                #this.#hook(resources, cause);
            }
        }
    });
    let wake = hooks.wake.as_ref().map(|hook| {
        let hook = &hook.0;
        quote_spanned! {here=>
            fn wake(&#this, resources: &#resources) -> bool {
                #this.#hook(resources);
                true
            }
        }
    });
    Some(quote_spanned! {here=>
        #(#attributes)*
        #[automatically_derived]
        impl #generics #runtime::Unplug for #self_ty #bounds {
            type Resources = #resources;

            fn lifetime(&#this) -> &#runtime::DeviceLifetime<#resources> {
                #lifetime
            }
            #stop
            #wake
        }
    })
}

/// A method `unplug` that has the subdevs in one group with the device. It stands before that of the trait.
fn unplug_with_subdevs(block: &Block, hooks: &UnplugHooks) -> Option<TokenStream> {
    let subdevs = &hooks.subdevs.0;
    let asked = block.options.unplug.as_ref()?.span;
    let here = Span::mixed_site().located_at(asked);
    let runtime = Runtime::of(&block.options).at(here);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let (attributes, self_ty, resources) = (carried_over(&block.attributes), &block.self_ty, block.resources()?);
    let (fields, types): (Vec<_>, Vec<_>) = subdevs.iter().map(|(field, ty)| (field, ty)).unzip();
    let this = Ident::new("self", here);
    // Called by its author, so it has the author's hygiene.
    let name = Ident::new("unplug", Span::call_site().located_at(asked));
    (!subdevs.is_empty()).then(|| {
        quote_spanned! {here=>
            #(#attributes)*
            impl #generics #self_ty #bounds {
                /// Unplugs the device and its subdevs as one, and returns the resources of each.
                #[allow(dead_code, private_interfaces)]
                pub(crate) fn #name(
                    &#this,
                    cause: #runtime::Cause,
                ) -> ::core::result::Result<
                    (#resources, (#(<#types as #runtime::Unplug>::Resources,)*)),
                    #runtime::UnplugError,
                > {
                    #runtime::Group::unplug_group((#this, (#(&#this.#fields,)*)), cause)
                }
            }
        }
    })
}

/// The claim that a subdev with this node has a release op.
fn subdev_node(block: &Block) -> Option<TokenStream> {
    let asked = block.options.subdev.0?;
    let here = Span::mixed_site().located_at(asked);
    let runtime = Runtime::of(&block.options).at(here);
    let (generics, _, bounds) = block.generics.split_for_impl();
    let (attributes, self_ty) = (carried_over(&block.attributes), &block.self_ty);
    Some(quote_spanned! {here=>
        #(#attributes)*
        #[automatically_derived]
        impl #generics #runtime::SubdevNode for #self_ty #bounds {}
    })
}

/// The expression for the lifetime of the device that `device` leads to.
fn lifetime(options: &BlockOptions, device: &TokenStream) -> Option<TokenStream> {
    let expression = ungrouped(&options.lifetime.as_ref()?.0);
    if let Expr::Lit(_) = expression {
        return None;
    }
    if let Expr::Path(path) = expression {
        return Some(match path.path.get_ident() {
            Some(field) if field != "self" => quote!(#device.#field),
            Some(_) => device.clone(),
            None => path.to_token_stream(),
        });
    }
    Some(replace_self(operand(expression), device))
}

/// The expression in a form that `.field` or `.method()` may follow.
fn operand(expression: &Expr) -> TokenStream {
    let expression = ungrouped(expression);
    match expression {
        Expr::Path(_)
        | Expr::Call(_)
        | Expr::MethodCall(_)
        | Expr::Field(_)
        | Expr::Index(_)
        | Expr::Paren(_)
        | Expr::Macro(_) => expression.to_token_stream(),
        _ => quote!((#expression)),
    }
}

/// The expression with `device` for each `self`, except where that begins a path.
fn replace_self(tokens: TokenStream, device: &TokenStream) -> TokenStream {
    let mut output = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(tree) = tokens.next() {
        let begins_path = matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
        match tree {
            TokenTree::Ident(ident) if ident == "self" && !begins_path => {
                output.extend(device.clone());
            }
            TokenTree::Group(group) => {
                let inside = replace_self(group.stream(), device);
                let mut replaced = Group::new(group.delimiter(), inside);
                replaced.set_span(group.span());
                output.extend([TokenTree::Group(replaced)]);
            }
            tree => output.extend([tree]),
        }
    }
    output
}

/// The expression within the groups of macro fragments.
fn ungrouped(expression: &Expr) -> &Expr {
    match expression {
        Expr::Group(group) => ungrouped(&group.expr),
        expression => expression,
    }
}

/// The `#[cfg]`s of a method, to stand on its row of the table.
fn conditions(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"))
}

/// The attributes of the author's impl that hold for the generated ones too.
fn carried_over(attributes: &[Attribute]) -> Vec<&Attribute> {
    let carried = |attribute: &&Attribute| attribute.path().is_ident("cfg") || attribute.path().is_ident("allow");
    attributes.iter().filter(carried).collect()
}

/// The path of the runtime.
struct Runtime<'a>(Option<&'a Path>);

impl<'a> Runtime<'a> {
    fn of(options: &'a BlockOptions) -> Self {
        Self(options.runtime.as_ref())
    }

    /// The path as tokens at `span`. A path that the author gave keeps its hygiene: `$crate`
    /// means the crate of the macro that wrote it.
    fn at(&self, span: Span) -> TokenStream {
        let Some(path) = self.0 else {
            return quote_spanned!(span=> ::fops_runtime);
        };
        let relocated = |mut tree: TokenTree| {
            tree.set_span(tree.span().located_at(span));
            tree
        };
        path.to_token_stream().into_iter().map(relocated).collect()
    }
}
