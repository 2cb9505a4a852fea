//! Snapshots of expansions: a change of what the macro writes is a change that a reviewer sees. The tests of the rules and
//! of what is read are beside them.

mod check;
mod driver;
mod errors;
mod expansions;
mod robust;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::{diagnostics::Diagnostics, model::Block};

/// Tokens, with a macro's fragment for each `fragment! { .. }`.
pub(crate) fn tokens(source: &str) -> TokenStream {
    with_fragments(source.parse().expect("tokens")).into_iter().collect()
}

fn with_fragments(tokens: TokenStream) -> Vec<TokenTree> {
    let mut output: Vec<TokenTree> = Vec::new();
    for tree in tokens {
        let TokenTree::Group(group) = tree else {
            output.push(tree);
            continue;
        };
        let is_fragment = matches!(&output[..], [.., TokenTree::Ident(word), _] if word == "fragment");
        if is_fragment {
            output.truncate(output.len() - 2);
        }
        let delimiter = if is_fragment { Delimiter::None } else { group.delimiter() };
        let mut inside = Group::new(delimiter, with_fragments(group.stream()).into_iter().collect());
        inside.set_span(group.span());
        output.push(inside.into());
    }
    output
}

/// A block, and what there was to say of it when it was read.
pub(crate) fn read(arguments: &str, item: &str) -> (Block, Diagnostics) {
    let mut diagnostics = Diagnostics::default();
    match crate::parse::parse(tokens(arguments), tokens(item), &mut diagnostics) {
        Ok(block) => (block, diagnostics),
        Err(_) => panic!("{item} is no impl block"),
    }
}

/// A block, whatever there was to say of it.
pub(crate) fn block(arguments: &str, item: &str) -> Block {
    read(arguments, item).0
}

/// The expansion as a person would read it.
fn expand(arguments: &str, item: &str) -> String {
    let tokens = |source: &str| source.parse::<TokenStream>().expect("tokens");
    let output = crate::guard(tokens(arguments), tokens(item));
    match syn::parse2(output.clone()) {
        Ok(file) => prettyplease::unparse(&file),
        // Half-typed source stays what it is.
        Err(_) => crate::diagnostics::written(&output),
    }
}

/// Expands an item and compares the outcome with the snapshot of this name.
macro_rules! snapshot {
    ($name:ident, $arguments:literal, $item:literal) => {
        #[test]
        fn $name() {
            let outcome = crate::tests::expand($arguments, $item);
            insta::with_settings!({
                description => concat!("#[guarded_fops(", $arguments, ")]\n", $item),
                omit_expression => true,
                prepend_module_to_snapshot => false,
                snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/src/snapshots"),
            }, {
                insta::assert_snapshot!(stringify!($name), outcome);
            });
        }
    };
}
use snapshot;
