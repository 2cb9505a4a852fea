//! Half-typed input: with any one token gone, or there twice, the macro neither panics nor loses the item.

use proc_macro2::{Group, TokenStream, TokenTree};

use super::check::{self, Random, mutate, tokens};

const ARGUMENTS: &str = "lifetime = self.inner.lifetime, via = me, unplugged = Err(ENODEV), unplug(stop = quiesce, wake = kick), \
     resources = Hw<u8>, name = key, default = guarded, crate = a::b";

const ITEM: &str = r#"
#[doc = "A device."]
unsafe impl<'a, B: Bus, const N: usize> crate::FileOperations<'a> for Vin<'a, B, N> where B: Sync {
    #![allow(dead_code)]
    const LIMIT: usize = { 5 };
    type Open<'b> = &'b u8 where Self: 'b;
    #[cfg(all())]
    #[fop(unguarded, reason = "none", via = self)]
    pub(crate) unsafe extern "C" fn read<T: Copy>(&'a mut self, #[access] hw: Option<&Access<'_, Hw>>, (a, ref b): (A, B), mut c: C, _: D) -> Result<impl Iterator<Item = u8>> where T: 'a {
        #![allow(unused)]
        let x = hw.y?;
        x..
    }
    #[cfg_attr(all(), fop(always))]
    async fn release(self: Arc<Self>, #[cfg(all())] _file: File) {}
    operations! { read }
}
"#;

/// How the token of some number is changed; numbers count through all groups.
#[derive(Clone, Copy)]
enum Change {
    Remove,
    Repeat,
}

fn changed(tokens: TokenStream, left: &mut usize, change: Change) -> TokenStream {
    let mut output = TokenStream::new();
    for tree in tokens {
        let hit = *left == 0;
        *left = left.wrapping_sub(1);
        let tree = match tree {
            TokenTree::Group(group) if !hit => {
                Group::new(group.delimiter(), changed(group.stream(), left, change)).into()
            }
            tree => tree,
        };
        match change {
            Change::Remove if hit => {}
            Change::Repeat if hit => output.extend([tree.clone(), tree]),
            _ => output.extend([tree]),
        }
    }
    output
}

fn count(tokens: TokenStream) -> usize {
    let inside = |tree| match tree {
        TokenTree::Group(group) => 1 + count(group.stream()),
        _ => 1,
    };
    tokens.into_iter().map(inside).sum()
}

#[test]
fn any_token_may_be_missing_or_repeated() {
    let (arguments, item): (TokenStream, TokenStream) = (ARGUMENTS.parse().unwrap(), ITEM.parse().unwrap());
    for change in [Change::Remove, Change::Repeat] {
        for number in 0..count(item.clone()) {
            let item = changed(item.clone(), &mut number.clone(), change);
            let output = crate::guard(arguments.clone(), item.clone());
            let (written, output) = (count(item), count(output));
            assert!(output > written / 2, "of {written} tokens only {output} are left");
        }
        for number in 0..count(arguments.clone()) {
            let arguments = changed(arguments.clone(), &mut number.clone(), change);
            let output = crate::guard(arguments, item.clone());
            assert!(output.to_string().contains("LIMIT"));
        }
    }
}

#[test]
fn random_tokens() {
    let mut random = Random(1);
    for _ in 0..20_000 {
        let (arguments, item) = (tokens(&mut random, 2), tokens(&mut random, 3));
        check::check(respan(arguments), respan(item.clone()));
        // As an impl block, so that more of it is looked at.
        check::check(respan("lifetime = x".parse().expect("tokens")), respan(quote::quote!(impl X { #item })));
    }
}

#[test]
fn mutated_impls() {
    let sources = [
        (ARGUMENTS.to_owned(), ITEM.to_owned()),
        super::driver::source(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/rcar-vin/src/driver/v4l2.rs")),
        super::driver::source(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/minimal.rs")),
        super::driver::source(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fuser_devices.rs")),
        super::driver::source(concat!(env!("CARGO_MANIFEST_DIR"), "/../ui-tests/pass/futures.rs")),
    ];
    let mut random = Random(2);
    for (arguments, item) in sources {
        let (arguments, item): (TokenStream, TokenStream) = (arguments.parse().unwrap(), item.parse().unwrap());
        for _ in 0..400 {
            check::check(mutate(arguments.clone(), &mut random), mutate(item.clone(), &mut random));
            check::check(arguments.clone(), mutate(item.clone(), &mut random));
        }
    }
}

/// A short run of what the fuzzer does for as long as it is let, without what it learns.
#[test]
fn inputs_of_the_fuzzer() {
    let mut random = Random(3);
    for seed in 0..2_000_u64 {
        let mut input = seed.to_be_bytes().map(|byte| byte.max(b' ')).to_vec();
        check::input(&input);
        input.extend(format!("\nimpl X {{ {} }}", tokens(&mut random, 2)).into_bytes());
        check::input(&input);
    }
}

/// Words that are names only in paths.
#[test]
fn keywords_for_names() {
    for word in ["self", "Self", "super", "crate"] {
        let arguments = format!("lifetime = {word}, unplug(stop = {word}, wake = {word}), resources = u8");
        check::check(arguments.parse().unwrap(), "impl X { fn read(&self) -> Result {} }".parse().unwrap());
    }
}

/// The same tokens, each with a place of its own.
fn respan(tokens: TokenStream) -> TokenStream {
    tokens.to_string().parse().unwrap_or(tokens)
}
