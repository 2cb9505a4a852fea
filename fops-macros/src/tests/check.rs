//! What holds of every input. The fuzz target has this file too.

use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// What the fuzzer gives. The first line are the arguments, the rest is the item. The first eight bytes are the seed of a
/// mutation, too.
pub(crate) fn input(source: &[u8]) {
    let seed = source.iter().take(8).fold(0, |seed, &byte| seed << 8 | u64::from(byte));
    let mut random = Random(seed);
    let parse = |source: &str| source.parse::<TokenStream>().expect("tokens");
    let arguments = mutate(parse(ARGUMENTS), &mut random);
    check(arguments, mutate(parse(ITEM), &mut random));

    let Ok(source) = str::from_utf8(source) else { return };
    let (arguments, item) = source.split_once('\n').unwrap_or(("lifetime = lifetime", source));
    if let (Ok(arguments), Ok(item)) = (arguments.parse(), item.parse()) {
        check(arguments, item);
    }
}

const ARGUMENTS: &str = "lifetime = self.inner.lifetime, via = self.find(ino), not_found = reply.error(ENXIO), \
     unplugged = reply.error(ENODEV), unplug(stop = quiesce, wake = kick), resources = Hw<u8>, name = key, \
     default = guarded, crate = a::b";

const ITEM: &str = r#"
unsafe impl<'a, B: Bus> crate::FileOperations<'a> for Vin<'a, B> where B: Sync {
    #![allow(dead_code)]
    const LIMIT: usize = { 5 };
    type Open<'b> = &'b u8 where Self: 'b;
    #[fop(always, via = me)]
    fn release(me: Me, #[device] vin: Option<&Vin>, #[access] hw: Option<&Access<'_, Hw>>, (a, ref b): (A, B)) { drop(hw) }
    #[fop(polled)]
    async fn read(&self, #[access] hw: &OwnedAccess<Hw>, mut c: C, _: D) -> Result<u8> { hw.read(c).await }
    #[fop(polled)]
    fn write(&self) -> Pin<Box<dyn Future<Output = u8>>> { Box::pin(async { 1 }) }
    #[fop(unguarded, reason = "none")]
    const fn seek() {}
}
"#;

/// Expands, and checks: no panic; where the item parses, so does the outcome; each error is at a piece of the input.
pub(crate) fn check(arguments: TokenStream, item: TokenStream) {
    let places = [&arguments, &item].map(extent);
    let parses = syn::parse2::<syn::Item>(item.clone()).is_ok();
    let output = crate::guard(arguments, item.clone());
    if parses && let Err(error) = syn::parse2::<syn::File>(output.clone()) {
        panic!("{error}: of\n{item}\nbecomes\n{output}");
    }
    let unentered = if parses { bodies_without_section(&output) } else { 0 };
    assert_eq!(unentered, 0, "guarded methods of\n{item}\nare not: {output}");
    if places.iter().all(Option::is_none) {
        // proc-macro2 keeps no places while it is fuzzed.
        return;
    }
    for (place, message) in errors(output) {
        // These are of the attribute as a whole, or of what is not there.
        let whole = ["`lifetime` is missing", "unexpected end of input", "expected `impl`"];
        let of_all = whole.iter().any(|whole| message.contains(whole));
        let inside = places.iter().flatten().any(|extent| extent.start <= place.start && place.end <= extent.end);
        assert!(inside || of_all, "{message} is at {place:?} of {places:?}, {item}");
    }
}

type Place = std::ops::Range<usize>;

fn extent(tokens: &TokenStream) -> Option<Place> {
    let places = tokens.clone().into_iter().flat_map(|tree| {
        let inside = match &tree {
            TokenTree::Group(group) => extent(&group.stream()),
            _ => None,
        };
        [Some(tree.span().byte_range()), inside]
    });
    let places = places.flatten().filter(|place| !place.is_empty());
    places.reduce(|all, place| all.start.min(place.start)..all.end.max(place.end))
}

/// How many rows of the table say `guarded` without a method that says so too, where nothing is reported.
fn bodies_without_section(output: &TokenStream) -> usize {
    fn count(tokens: TokenStream, name: &str) -> usize {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let here = trees.windows(4).filter(|window| match window {
            [TokenTree::Ident(op), TokenTree::Punct(_), TokenTree::Punct(colon), TokenTree::Ident(policy)] => {
                (op == "Op") && colon.as_char() == ':' && policy == name
            }
            [TokenTree::Punct(end), TokenTree::Punct(_), TokenTree::Punct(colon), TokenTree::Ident(policy)] => {
                end.as_char() == '>' && colon.as_char() == ':' && policy == name
            }
            _ => false,
        });
        let inside = trees.iter().map(|tree| match tree {
            TokenTree::Group(group) => count(group.stream(), name),
            _ => 0,
        });
        here.count() + inside.sum::<usize>()
    }
    if !errors(output.clone()).is_empty() {
        return 0;
    }
    let trees: Vec<TokenTree> = output.clone().into_iter().collect();
    let table = trees.iter().find_map(|tree| match tree {
        TokenTree::Group(group) if group.stream().to_string().contains("OPS") => Some(group.stream()),
        _ => None,
    });
    let Some(table) = table else { return 0 };
    let rows = count(table, "guarded");
    (2 * rows).abs_diff(count(output.clone(), "guarded"))
}

/// The `compile_error!`s, each with the place of its first token.
fn errors(output: TokenStream) -> Vec<(Place, String)> {
    let trees: Vec<TokenTree> = output.into_iter().collect();
    let mut found = Vec::new();
    for (index, tree) in trees.iter().enumerate() {
        if let (TokenTree::Ident(name), Some(TokenTree::Group(message))) = (tree, trees.get(index + 2))
            && name == "compile_error"
        {
            found.push((name.span().byte_range(), message.to_string()));
        }
    }
    found
}

/// Numbers that only look random: SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).expect("it is below a usize")
    }

    /// One of these.
    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// The words of the macro's grammar, and some of Rust's.
const WORDS: &[&str] = &[
    "fn",
    "impl",
    "for",
    "self",
    "async",
    "const",
    "unsafe",
    "extern",
    "where",
    "type",
    "mut",
    "pub",
    "default",
    "crate",
    "access",
    "device",
    "fop",
    "guarded",
    "always",
    "unguarded",
    "polled",
    "reason",
    "via",
    "unplugged",
    "not_found",
    "lifetime",
    "unplug",
    "stop",
    "wake",
    "resources",
    "name",
    "read",
    "release",
    "close",
    "Option",
    "Access",
    "Result",
    "OwnedAccess",
    "Future",
    "X",
    "_",
];

/// Some tokens, in groups of some depth.
pub(crate) fn tokens(random: &mut Random, depth: usize) -> TokenStream {
    let some = random.below(8);
    (0..some)
        .map(|_| -> TokenTree {
            match random.below(8) {
                0..4 => Ident::new(random.of::<&str>(WORDS), Span::call_site()).into(),
                4 | 5 => Punct::new(
                    *random.of(&['#', '=', ',', '&', ':', ';', '<', '>', '!', '.', '?', '-']),
                    Spacing::Alone,
                )
                .into(),
                6 => proc_macro2::Literal::string("a").into(),
                _ if depth == 0 => proc_macro2::Literal::u8_unsuffixed(1).into(),
                _ => group(random, depth - 1).into(),
            }
        })
        .collect()
}

fn group(random: &mut Random, depth: usize) -> Group {
    let delimiter = *random.of(&[Delimiter::Brace, Delimiter::Bracket, Delimiter::Parenthesis, Delimiter::None]);
    Group::new(delimiter, tokens(random, depth))
}

/// The tokens with some of them removed, repeated, swapped with others, or put into a group.
pub(crate) fn mutate(tokens: TokenStream, random: &mut Random) -> TokenStream {
    let mut trees: Vec<TokenTree> = tokens
        .into_iter()
        .map(|tree| match tree {
            TokenTree::Group(group) if random.below(3) > 0 => {
                let mut mutated = Group::new(group.delimiter(), mutate(group.stream(), random));
                mutated.set_span(group.span());
                mutated.into()
            }
            tree => tree,
        })
        .collect();
    if trees.is_empty() || random.below(3) > 0 {
        return trees.into_iter().collect();
    }
    let (here, there) = (random.below(trees.len()), random.below(trees.len()));
    match random.below(6) {
        0 => drop(trees.remove(here)),
        1 => trees.insert(here, trees[there].clone()),
        2 => trees.swap(here, there),
        // As the fragment of a macro. Such are never just punctuation, nor the brackets of an attribute.
        3 if !matches!(trees[here], TokenTree::Punct(_)) && !is_attribute(&trees, here) => {
            let mut group = Group::new(Delimiter::None, trees[here].clone().into());
            group.set_span(trees[here].span());
            trees[here] = group.into();
        }
        3 | 4 => {
            let word = Ident::new(random.of::<&str>(WORDS), trees[here].span());
            trees[here] = word.into();
        }
        _ => {
            let fop: TokenStream = random.of(FOPS).parse().expect("tokens");
            let fop: Vec<TokenTree> = placed(fop, trees[here].span()).into_iter().collect();
            trees.splice(here..here, fop);
        }
    }
    trees.into_iter().collect()
}

fn is_attribute(trees: &[TokenTree], here: usize) -> bool {
    let follows = |before: char| here.checked_sub(1).is_some_and(|at| trees[at].to_string().starts_with(before));
    follows('#') || follows('!')
}

/// The tokens, all at one place.
fn placed(tokens: TokenStream, span: Span) -> TokenStream {
    let placed = |mut tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), placed(group.stream(), span)).into();
        }
        tree.set_span(span);
        tree
    };
    tokens.into_iter().map(placed).collect()
}

/// Attributes to strew in.
const FOPS: &[&str] = &[
    "#[fop(always)]",
    "#[fop(polled)]",
    "#[fop(unguarded, reason = \"none\")]",
    "#[fop(via = me.find(), not_found = ())]",
    "#[access]",
    "#[device]",
    "#[cfg_attr(x, fop(always))]",
];
