//! Tokens to model. The header of the block is parsed; signatures are only taken apart, and bodies stay the groups of
//! tokens that they are, so that half-typed code is no error here and expansion stays cheap.

mod method;
#[cfg(test)]
mod tests;

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ItemImpl;

use crate::{
    args::{self, BlockOptions, UnplugHooks},
    diagnostics::{Diagnostics, Outcome},
    model::{Block, Method, NoBlock},
    source::{Cursor, Part, Source, find, is_punct, parsed, trees},
};

/// The names of our attributes, as they stand within an impl block.
const HELPERS: &[&str] = &["access", "device", "fop"];

/// Parses the attribute's arguments and its item, which has to be an impl block.
pub(crate) fn parse(
    arguments: TokenStream,
    item: TokenStream,
    diagnostics: &mut Diagnostics,
) -> Result<Block, NoBlock> {
    let (header, braces) = split(item.clone());
    let mut header = Cursor::new(header);
    let attributes = header.attributes();
    let header = header.take(header.rest().len());
    // An empty stand-in for the content: only the header is parsed here.
    let mut empty = Group::new(Delimiter::Brace, TokenStream::new());
    empty.set_span(braces.span());
    let mut stand_in = header.clone();
    stand_in.0.push(TokenTree::Group(empty));
    let parsed = match parsed::<ItemImpl>(stand_in.into_stream()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let _ = not_an_impl(item.clone(), error, diagnostics);
            return Err(NoBlock { item: without_helpers(item) });
        }
    };
    let mut options = BlockOptions::default();
    let mut options_read = match is_key_value(&Span::call_site().source_text().unwrap_or_default()) {
        true => diagnostics.left_to_rustc(),
        false => args::read(&mut options, arguments, diagnostics),
    };
    let mut unplug = None;
    if let Some(asked) = &options.unplug {
        let hooks = unplug.insert(UnplugHooks::default());
        options_read = options_read.and(args::read(hooks, asked.hooks.clone(), diagnostics));
    }
    let (methods, rest) = content(&braces, diagnostics);
    Ok(Block {
        options,
        options_read,
        unplug,
        attributes,
        header,
        generics: parsed.generics,
        trait_: parsed.trait_.map(|(path, _)| path),
        self_ty: *parsed.self_ty,
        braces,
        methods,
        rest,
    })
}

/// Whether the attribute reads `#[name = value]`, which rustc rejects: there is nothing to add.
fn is_key_value(attribute: &str) -> bool {
    for byte in attribute.bytes() {
        match byte {
            b'=' => return true,
            b'(' => return false,
            _ => {}
        }
    }
    false
}

/// The tokens of an item before its last braces, and these.
fn split(item: TokenStream) -> (TokenStream, Group) {
    let mut tokens = trees(item);
    match tokens.pop() {
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => (Source(tokens).into_stream(), group),
        // An item that a macro was given: `$item`.
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::None && tokens.is_empty() => {
            split(group.stream())
        }
        last => {
            if let Some(last) = last {
                tokens.push(last);
            }
            let none = Group::new(Delimiter::Brace, TokenStream::new());
            (Source(tokens).into_stream(), none)
        }
    }
}

/// Says where the attribute belongs.
fn not_an_impl(item: TokenStream, error: syn::Error, diagnostics: &mut Diagnostics) -> Outcome {
    let first = Source::of(&item).span();
    let (keyword, what) = match parsed(item) {
        Ok(syn::Item::Struct(item)) => (item.struct_token.span, "a struct"),
        Ok(syn::Item::Enum(item)) => (item.enum_token.span, "an enum"),
        Ok(syn::Item::Union(item)) => (item.union_token.span, "a union"),
        Ok(syn::Item::Trait(item)) => (item.trait_token.span, "a trait"),
        Ok(syn::Item::Fn(item)) => (item.sig.fn_token.span, "a function"),
        Ok(syn::Item::Mod(item)) => (item.mod_token.span, "a module"),
        Ok(_) => (first, "this item"),
        Err(_) => return diagnostics.syntax(error),
    };
    diagnostics
        .error_at(keyword, format_args!("`#[guarded_fops]` guards the operations of an impl block, not {what}"))
        .help(format_args!("put it on the `impl` block that holds the operations"))
        .reported()
}

/// The methods of the block, and what follows them.
fn content(braces: &Group, diagnostics: &mut Diagnostics) -> (Vec<Method>, Source) {
    let mut input = Cursor::new(braces.stream());
    let (mut methods, mut before) = (Vec::new(), Source::default());
    while input.peek(0).is_some() {
        if is_punct(input.peek(0), '#') && is_punct(input.peek(1), '!') {
            before.0.extend(input.take(3).0);
            continue;
        }
        let mut attributes = input.attributes();
        while let Some(item) = item_fragment(input.peek(0)) {
            input.open(item);
            attributes.append(&mut input.attributes());
        }
        let kind = kind(input.rest());
        let is_constant = matches!(kind, Kind::Constant);
        match kind {
            Kind::Method(layout) => {
                let before = std::mem::take(&mut before);
                methods.push(method::method(before, attributes, &layout, &mut input, diagnostics));
                continue;
            }
            Kind::Constant => {
                for attribute in &attributes {
                    if attribute.is("fop") {
                        diagnostics
                            .error(attribute, format_args!("`#[fop]` sets the policy of a method, this is none"))
                            .help(format_args!("remove it, only methods are operations"));
                    }
                }
                let _ = method::reject_marks(&mut attributes, diagnostics);
            }
            Kind::Macro(path) => {
                diagnostics
                    .error(
                        &path,
                        format_args!(
                            "`#[guarded_fops]` cannot see the operations that a macro would produce here, they would \
                             run unguarded"
                        ),
                    )
                    .help(format_args!("write them out, or let the macro produce the whole impl block"));
            }
            // That a method of an impl has a body is well said by rustc.
            Kind::WithoutBody => {}
            // As is anything else that is no item. It is not passed on, or rustc would say it again; but no method
            // may pass by unseen.
            Kind::Unknown => {
                let unknown = input.take(end_of_item(input.rest(), false));
                if unknown.has_word("fn") {
                    diagnostics
                        .error(&unknown, format_args!("`#[guarded_fops]` cannot read this method"))
                        .help(format_args!("a method is `fn <name>(..)`, with nothing before it but `pub`, `async`, `unsafe` and the like"));
                }
                continue;
            }
        }
        for attribute in &attributes {
            without_helpers(attribute.to_token_stream()).put(&mut before);
        }
        let end = end_of_item(input.rest(), is_constant);
        without_helpers(input.take(end).into_stream()).put(&mut before);
    }
    (methods, before)
}

/// The content of the group that stands around an item which a macro was given: `$item`.
fn item_fragment(tree: Option<&TokenTree>) -> Option<TokenStream> {
    let Some(TokenTree::Group(group)) = tree.filter(|tree| is_group(tree, Delimiter::None)) else { return None };
    let mut inside = Cursor::new(group.stream());
    inside.attributes();
    // Not `$visibility`.
    (!matches!(kind(inside.rest()), Kind::Unknown)).then(|| group.stream())
}

/// What an item turns out to be.
enum Kind {
    Method(Layout),
    WithoutBody,
    /// A constant or a type.
    Constant,
    /// A macro call, by its path.
    Macro(Source),
    Unknown,
}

/// Where the parts of a method stand, after its attributes.
struct Layout {
    constness: Option<Span>,
    asyncness: Option<Span>,
    /// The name, after the keyword `fn`.
    name: usize,
    parentheses: usize,
    /// Where a type is returned, or not: the arrow, the `where`, or the body.
    output: usize,
    where_clause: usize,
    body: usize,
}

fn kind(trees: &[TokenTree]) -> Kind {
    let (mut constness, mut asyncness) = (None, None);
    let mut at = 0;
    loop {
        match trees.get(at) {
            Some(TokenTree::Ident(ident)) => match ident.to_string().as_str() {
                "fn" => break method_kind(trees, at + 1, constness, asyncness).unwrap_or(Kind::Unknown),
                "pub" => {}
                "default" | "unsafe" | "safe" | "extern" if !is_punct(trees.get(at + 1), '!') => {}
                "async" => asyncness = Some(ident.span()),
                "const" => constness = Some(ident.span()),
                "type" => break Kind::Constant,
                _ if constness.is_some() => break Kind::Constant,
                _ => break macro_call(&trees[at..]),
            },
            // `"C"`; a visibility, or the place of one that a macro was not given.
            Some(TokenTree::Literal(_)) if at > 0 => {}
            Some(TokenTree::Group(group))
                if group.delimiter() == Delimiter::None || (group.delimiter() == Delimiter::Parenthesis && at > 0) => {}
            _ => break macro_call(&trees[at..]),
        }
        at += 1;
    }
}

/// `a::path!`
fn macro_call(trees: &[TokenTree]) -> Kind {
    let mut end = 0;
    while matches!(trees.get(end), Some(TokenTree::Ident(_))) || is_punct(trees.get(end), ':') {
        end += 1;
    }
    if end > 0 && is_punct(trees.get(end), '!') { Kind::Macro(Source(trees[..end].to_vec())) } else { Kind::Unknown }
}

/// Finds the parts of a method whose name is to stand at this position.
fn method_kind(trees: &[TokenTree], name: usize, constness: Option<Span>, asyncness: Option<Span>) -> Option<Kind> {
    let TokenTree::Ident(_) = trees.get(name)? else { return None };
    let next = |from: usize, wanted: fn(&TokenTree) -> bool| Some(from + find(trees.get(from..)?, wanted)?);
    let parentheses = next(name + 1, |tree| is_group(tree, Delimiter::Parenthesis) || ends(tree))?;
    let output = parentheses + 1;
    let body = next(output, ends)?;
    if !is_group(&trees[parentheses], Delimiter::Parenthesis) {
        return None;
    }
    if is_punct(trees.get(body), ';') {
        return Some(Kind::WithoutBody);
    }
    let where_clause = next(output, |tree| matches!(tree, TokenTree::Ident(ident) if ident == "where") || ends(tree))?;
    Some(Kind::Method(Layout { constness, asyncness, name, parentheses, output, where_clause, body }))
}

fn is_group(tree: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == delimiter)
}

/// Whether a signature ends before this: at a body, or where one is missing.
fn ends(tree: &TokenTree) -> bool {
    is_punct(Some(tree), ';') || body(tree).is_some()
}

/// The body, also where it is a macro's fragment, which stands in a group without delimiters.
fn body(tree: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tree else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => body(&group.stream().into_iter().next()?),
        _ => None,
    }
}

/// Where an item may end that is no method: after a semicolon, or after braces unless it `is_constant`.
fn end_of_item(trees: &[TokenTree], is_constant: bool) -> usize {
    for (position, tree) in trees.iter().enumerate() {
        if is_punct(Some(tree), ';') || (!is_constant && is_group(tree, Delimiter::Brace)) {
            return position + 1;
        }
    }
    trees.len()
}

/// Source that is passed on unparsed, without our attributes: nobody else would understand them.
pub(crate) fn without_helpers(tokens: TokenStream) -> Source {
    without_attributes(tokens, HELPERS)
}

/// Tokens without the attributes of these names.
pub(crate) fn without_attributes(tokens: TokenStream, names: &[&str]) -> Source {
    let mut kept = Source::default();
    let mut input = Cursor::new(tokens);
    loop {
        for attribute in &input.attributes() {
            if !names.contains(&attribute.name.as_str()) {
                attribute.put(&mut kept);
            }
        }
        match input.next() {
            Some(TokenTree::Group(group)) => {
                let inside = without_attributes(group.stream(), names);
                let mut clean = Group::new(group.delimiter(), inside.into_stream());
                clean.set_span(group.span());
                kept.0.push(TokenTree::Group(clean));
            }
            Some(tree) => kept.0.push(tree),
            None => return kept,
        }
    }
}
