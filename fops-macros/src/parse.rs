//! Tokens to model. Headers and signatures are parsed, bodies are not: they stay the groups of
//! tokens that they are, so that half-typed code is no error here and expansion stays cheap.

mod method;

use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    Attribute, ItemImpl, LitStr, Signature, Token, Visibility,
    parse::{ParseStream, Parser, discouraged::Speculative},
};

use crate::{
    args::{self, BlockOptions, UnplugHooks},
    diagnostics::Diagnostics,
    model::{Block, Item},
};

/// The names of our attributes, as they stand within an impl block.
const HELPERS: &[&str] = &["access", "device", "fop"];

/// Parses the attribute's arguments and its item; without an outcome where that is no impl
/// block, which is an error then.
pub(crate) fn parse(arguments: TokenStream, item: TokenStream, diagnostics: &mut Diagnostics) -> Option<Block> {
    let (header, braces) = split(item.clone());
    // An empty stand-in for the content: only the header is parsed here.
    let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
    empty.set_span(braces.span());
    let parsed = match syn::parse2::<ItemImpl>(quote!(#header #empty)) {
        Ok(parsed) => parsed,
        Err(error) => {
            not_an_impl(item, error, diagnostics);
            return None;
        }
    };
    let before = diagnostics.count();
    let options = args::read::<BlockOptions>(arguments, diagnostics);
    let unplug = options.unplug.as_ref().map(|asked| args::read::<UnplugHooks>(asked.hooks.clone(), diagnostics));
    let options_are_sound = diagnostics.count() == before;
    let (inner_attributes, items) = content(&braces, diagnostics);
    Some(Block {
        options,
        options_are_sound,
        unplug,
        attributes: parsed.attrs,
        header,
        generics: parsed.generics,
        trait_: parsed.trait_.map(|(path, _)| path),
        self_ty: *parsed.self_ty,
        braces,
        inner_attributes,
        items,
    })
}

/// The tokens of an item before its last braces, and these.
fn split(item: TokenStream) -> (TokenStream, Group) {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    match tokens.pop() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => (tokens.into_iter().collect(), group),
        // An item that a macro was given: `$item`.
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None && tokens.is_empty() => {
            split(group.stream())
        }
        last => {
            tokens.extend(last);
            let none = Group::new(Delimiter::Brace, TokenStream::new());
            (tokens.into_iter().collect(), none)
        }
    }
}

/// Says where the attribute belongs.
fn not_an_impl(item: TokenStream, error: syn::Error, diagnostics: &mut Diagnostics) {
    let first = item.clone().into_iter().next();
    let item = syn::parse2::<syn::Item>(item);
    let (keyword, what): (&dyn ToTokens, &str) = match &item {
        Ok(syn::Item::Struct(item)) => (&item.struct_token, "a struct"),
        Ok(syn::Item::Enum(item)) => (&item.enum_token, "an enum"),
        Ok(syn::Item::Union(item)) => (&item.union_token, "a union"),
        Ok(syn::Item::Trait(item)) => (&item.trait_token, "a trait"),
        Ok(syn::Item::Fn(item)) => (&item.sig.fn_token, "a function"),
        Ok(syn::Item::Mod(item)) => (&item.mod_token, "a module"),
        Ok(_) => (&first, "this item"),
        Err(_) => return diagnostics.syntax(error),
    };
    diagnostics
        .error(keyword, format_args!("`#[guarded_fops]` guards the operations of an impl block, not {what}"))
        .help("put it on the `impl` block that holds the operations");
}

/// The items of the block.
fn content(braces: &Group, diagnostics: &mut Diagnostics) -> (Vec<Attribute>, Vec<Item>) {
    let mut bodies = Bodies::default();
    let without_bodies = bodies.take(braces.stream());
    let parser = |input: ParseStream| {
        let attributes = Attribute::parse_inner(input)?;
        let mut items = Vec::new();
        while !input.is_empty() {
            items.push(item(input, &bodies, diagnostics)?);
        }
        Ok((attributes, items))
    };
    match parser.parse2(without_bodies) {
        Ok(content) => content,
        Err(error) => {
            diagnostics.syntax(error);
            let rest = without_helpers(braces.stream());
            (Vec::new(), vec![Item::Other(rest)])
        }
    }
}

/// Bodies are kept from syn, which would look at each of their tokens before it parses the first of the block: in their
/// places stand braces with a mark and a number.
#[derive(Default)]
struct Bodies(Vec<Group>);

impl Bodies {
    /// A name that no author has.
    const MARK: &str = "__fops_body";

    /// The tokens with numbers for bodies: for all braces that an item can end with. Those of a generic argument are
    /// followed by punctuation.
    fn take(&mut self, tokens: TokenStream) -> TokenStream {
        let mut tokens = tokens.into_iter().peekable();
        let mut output = Vec::new();
        while let Some(tree) = tokens.next() {
            let ends = match tokens.peek() {
                None | Some(TokenTree::Ident(_)) => true,
                Some(TokenTree::Punct(punct)) => punct.as_char() == '#',
                Some(_) => false,
            };
            match tree {
                TokenTree::Group(group) if ends && group.delimiter() == Delimiter::Brace => {
                    let number = Literal::usize_unsuffixed(self.0.len());
                    let mark = Ident::new(Self::MARK, group.span());
                    let place = [TokenTree::Ident(mark), TokenTree::Literal(number)].into_iter().collect();
                    let mut place = Group::new(Delimiter::Brace, place);
                    place.set_span(group.span());
                    self.0.push(group);
                    output.push(TokenTree::Group(place));
                }
                tree => output.push(tree),
            }
        }
        output.into_iter().collect()
    }

    /// What stood in the place of a top-level group of the block.
    fn put_back(&self, group: Group) -> Group {
        let mut place = group.stream().into_iter();
        let number = match (place.next(), place.next()) {
            (Some(TokenTree::Ident(mark)), Some(TokenTree::Literal(number))) if mark == Self::MARK => {
                number.to_string()
            }
            _ => return group,
        };
        number.parse().ok().and_then(|number: usize| self.0.get(number).cloned()).unwrap_or(group)
    }
}

/// The next item. What cannot be parsed is recorded and passed on up to where an item may end.
fn item(input: ParseStream, bodies: &Bodies, diagnostics: &mut Diagnostics) -> syn::Result<Item> {
    let ahead = input.fork();
    match begin(&ahead) {
        Ok(Beginning::Method(head)) => {
            if let Some(body) = body(&ahead) {
                input.advance_to(&ahead);
                let body = bodies.put_back(body);
                return Ok(Item::Method(Box::new(method::method(*head, body, diagnostics))));
            }
            // rustc says well that a method of an impl has a body.
        }
        Ok(Beginning::Other(attributes)) => {
            for attribute in attributes.iter().filter(|attribute| is(attribute, "fop")) {
                diagnostics.error(attribute, "`#[fop]` sets the policy of a method, this is none");
            }
        }
        Ok(Beginning::Macro(path)) => {
            diagnostics
                .error(
                    path,
                    "`#[guarded_fops]` cannot see the operations that a macro would produce here, \
                     they would run unguarded",
                )
                .help("write them out, or let the macro produce the whole impl block");
        }
        Err(error) => diagnostics.syntax(error),
    }
    let is_constant = matches!(begin(&input.fork()), Ok(Beginning::Other(_)));
    Ok(Item::Other(without_helpers(rest_of_item(input, is_constant, bodies)?)))
}

/// What an item turns out to be.
enum Beginning {
    Method(Box<Head>),
    /// A constant or a type.
    Other(Vec<Attribute>),
    /// A macro call, by its path.
    Macro(syn::Path),
}

/// A method up to its body.
struct Head {
    attributes: Vec<Attribute>,
    visibility: Visibility,
    defaultness: Option<Token![default]>,
    signature: Signature,
}

fn begin(input: ParseStream) -> syn::Result<Beginning> {
    let attributes = input.call(Attribute::parse_outer)?;
    let visibility: Visibility = input.parse()?;
    let is_default = input.peek(Token![default]) && !input.peek2(Token![!]);
    let defaultness = if is_default { Some(input.parse()?) } else { None };
    if is_signature(&input.fork()) {
        return Ok(Beginning::Method(Box::new(Head {
            attributes,
            visibility,
            defaultness,
            signature: input.parse()?,
        })));
    }
    if input.peek(Token![const]) || input.peek(Token![type]) {
        return Ok(Beginning::Other(attributes));
    }
    let path = input.call(syn::Path::parse_mod_style)?;
    input.parse::<Token![!]>()?;
    Ok(Beginning::Macro(path))
}

/// Whether qualifiers and then `fn` follow.
fn is_signature(input: ParseStream) -> bool {
    fn qualifier(input: ParseStream) -> syn::Result<bool> {
        Ok(input.parse::<Option<Token![const]>>()?.is_some()
            || input.parse::<Option<Token![async]>>()?.is_some()
            || input.parse::<Option<Token![unsafe]>>()?.is_some()
            || input.parse::<Option<Token![extern]>>()?.is_some()
            || input.parse::<Option<LitStr>>()?.is_some())
    }
    while let Ok(true) = qualifier(input) {}
    input.peek(Token![fn])
}

/// The body, also where it is a macro's fragment, which stands in a group without delimiters.
fn body(input: ParseStream) -> Option<Group> {
    fn braces(tree: TokenTree) -> Option<Group> {
        match tree {
            TokenTree::Group(group) => match group.delimiter() {
                Delimiter::Brace => Some(group),
                Delimiter::None => braces(group.stream().into_iter().next()?),
                _ => None,
            },
            _ => None,
        }
    }
    braces(input.parse().ok()?)
}

/// The tokens up to where this item may end: a semicolon, or braces unless it `is_constant`.
fn rest_of_item(input: ParseStream, is_constant: bool, bodies: &Bodies) -> syn::Result<TokenStream> {
    let mut tokens = TokenStream::new();
    while !input.is_empty() {
        let tree: TokenTree = input.parse()?;
        let ends = match &tree {
            TokenTree::Punct(punct) => punct.as_char() == ';',
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace && !is_constant,
            _ => false,
        };
        tokens.extend([match tree {
            TokenTree::Group(group) => TokenTree::Group(bodies.put_back(group)),
            tree => tree,
        }]);
        if ends {
            break;
        }
    }
    Ok(tokens)
}

/// Whether this is the attribute of that name, however it is qualified.
pub(crate) fn is(attribute: &Attribute, name: &str) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == name)
}

/// Source that is passed on unparsed, without our attributes: nobody else would understand them.
pub(crate) fn without_helpers(tokens: TokenStream) -> TokenStream {
    without_attributes(tokens, HELPERS)
}

/// Tokens without the attributes of these names.
pub(crate) fn without_attributes(tokens: TokenStream, names: &[&str]) -> TokenStream {
    let mut kept = Vec::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(tree) = tokens.next() {
        match (tree, tokens.peek()) {
            (TokenTree::Punct(hash), Some(TokenTree::Group(brackets)))
                if hash.as_char() == '#' && is_attribute(brackets, names) =>
            {
                tokens.next();
            }
            (TokenTree::Group(group), _) => {
                let inside = without_attributes(group.stream(), names);
                let mut clean = Group::new(group.delimiter(), inside);
                clean.set_span(group.span());
                kept.push(TokenTree::Group(clean));
            }
            (tree, _) => kept.push(tree),
        }
    }
    kept.into_iter().collect()
}

/// Whether these are the brackets of an attribute of one of the names: `[a::b::name ..]`.
fn is_attribute(brackets: &Group, names: &[&str]) -> bool {
    let path = brackets.stream().into_iter().map_while(|tree| match tree {
        TokenTree::Ident(ident) => Some(Some(ident)),
        TokenTree::Punct(punct) if punct.as_char() == ':' => Some(None),
        _ => None,
    });
    let last = path.flatten().last();
    brackets.delimiter() == Delimiter::Bracket && last.is_some_and(|ident| names.iter().any(|name| ident == name))
}
