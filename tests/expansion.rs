//! What `cargo expand` shows of the smallest driver is what the README says.
use std::process::Command;

#[test]
fn of_minimal_is_as_in_the_readme() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let expand = |args: &[&str]| Command::new(&cargo).arg("expand").args(args).current_dir(root).output().unwrap();
    if !expand(&["--version"]).status.success() {
        return system_tests::skip("there is no cargo-expand: run `cargo install cargo-expand`");
    }
    let output = expand(&["-p", "fops-examples", "--example", "minimal", "--color=never", "--theme=none"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expansion = String::from_utf8_lossy(&output.stdout);

    let readme = std::fs::read_to_string(format!("{root}/README.md")).unwrap();
    let (_, after) = readme.split_once("cargo expand -p fops-examples --example minimal").expect("the command");
    let shown = after.split("```rust").nth(1).and_then(|block| block.split("```").next()).expect("an expansion");
    // Lines are broken as a reader likes them.
    let flat = |text: &str| text.split_whitespace().collect::<String>().replace(",)", ")");
    assert!(flat(&expansion).contains(&flat(shown)), "the README shows\n{shown}\nand the expansion is\n{expansion}");
}
