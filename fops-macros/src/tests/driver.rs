//! The expansion of the whole rcar-vin driver: what a reviewer of that driver would read.

use syn::{Attribute, Item, Meta, visit::Visit};

/// The block under `#[guarded_fops]` in a source file: the options, and the block without the attribute.
#[derive(Default)]
struct Guarded(Option<(String, String)>);

impl Visit<'_> for Guarded {
    fn visit_item(&mut self, item: &Item) {
        let Item::Impl(block) = item else { return };
        let is_ours = |attribute: &Attribute| attribute.path().is_ident("guarded_fops");
        let Some(attribute) = block.attrs.iter().find(|attribute| is_ours(attribute)) else { return };
        let Meta::List(options) = &attribute.meta else { return };
        let mut block = block.clone();
        let options = options.tokens.to_string();
        block.attrs.retain(|attribute| !is_ours(attribute));
        self.0 = Some((options, quote::quote!(#block).to_string()));
    }
}

/// The options of the last guarded block of a file, and the block.
pub(super) fn source(path: &str) -> (String, String) {
    let source = std::fs::read_to_string(path).expect("the driver is there");
    let mut guarded = Guarded::default();
    guarded.visit_file(&syn::parse_file(&source).expect("the driver parses"));
    guarded.0.expect("the driver has a guarded block")
}

#[test]
fn rcar_vin() {
    let (options, block) = source(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/rcar-vin/src/driver/v4l2.rs"));
    let outcome = super::expand(&options, &block);
    insta::with_settings!({
        description => "the operations of examples/rcar-vin/src/driver/v4l2.rs",
        omit_expression => true,
        prepend_module_to_snapshot => false,
        snapshot_path => concat!(env!("CARGO_MANIFEST_DIR"), "/src/snapshots"),
    }, {
        insta::assert_snapshot!("rcar_vin", outcome);
    });
}
