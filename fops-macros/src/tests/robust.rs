//! Half-typed input: with any one token gone, or there twice, the macro neither panics nor loses the item.

use proc_macro2::{Group, TokenStream, TokenTree};

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
            let output = crate::expand::guarded_fops(arguments.clone(), item.clone());
            let (written, output) = (count(item), count(output));
            assert!(output > written / 2, "of {written} tokens only {output} are left");
        }
        for number in 0..count(arguments.clone()) {
            let arguments = changed(arguments.clone(), &mut number.clone(), change);
            let output = crate::expand::guarded_fops(arguments, item.clone());
            assert!(output.to_string().contains("LIMIT"));
        }
    }
}
