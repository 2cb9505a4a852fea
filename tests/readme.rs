//! The driver in the README is an excerpt of the driver in the examples: what it shows stands there, in that order.
use std::fs;

#[test]
fn the_driver_is_an_excerpt() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let read = |path: &str| fs::read_to_string(format!("{root}/{path}")).unwrap();
    let readme = read("README.md");
    let (_, after) = readme.split_once("## One attribute").expect("a section");
    let shown = after.split("```rust").nth(1).and_then(|block| block.split("```").next()).expect("a driver");
    let (structure, operations) = shown.split_once("#[guarded_fops").expect("an attribute");
    stands_in(structure, &read("examples/rcar-vin/src/driver/core.rs"));
    let driver = read("examples/rcar-vin/src/driver/v4l2.rs");
    for method in format!("#[guarded_fops{operations}").split("\n\n") {
        stands_in(method, &driver);
    }
}

/// Each line of what is shown stands in the source, or each part of it between two `..`, behind the one before it. Blanks,
/// comments and how private a field is are the README's own affair.
#[track_caller]
fn stands_in(shown: &str, source: &str) {
    let source = source.lines().map(flat).collect::<String>().replace(",)", ")");
    let mut rest = source.as_str();
    for line in shown.lines() {
        for part in flat(line).split("..").filter(|part| !matches!(*part, "" | "}")) {
            let found = rest.find(part);
            let found = found.unwrap_or_else(|| panic!("this is not in the source, or not there: {line}\n{shown}"));
            rest = &rest[found + part.len()..];
        }
    }
}

fn flat(line: &str) -> String {
    let code = line.split("//").next().unwrap_or_default();
    code.replace("pub(crate) ", "").split_whitespace().collect()
}
