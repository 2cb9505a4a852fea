//! Snapshots of expansions: a change of what the macro writes is a change that a reviewer sees.

mod check;
mod driver;
mod errors;
mod expansions;
mod robust;

use proc_macro2::TokenStream;

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
