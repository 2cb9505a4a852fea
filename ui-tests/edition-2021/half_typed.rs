//! Half-typed code is one error in edition 2021 too: of its tail, rustc says what it says in the cases of edition 2024.

use std::process::Command;

use trybuild::TestCases;

#[test]
fn half_typed() {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    let version = String::from_utf8_lossy(&output.stdout);
    // The texts are of this compiler; on others, `ui` sees that the cases fail.
    if version.starts_with("rustc 1.95.") {
        TestCases::new().compile_fail("fail/body/*.rs");
    } else {
        println!("the texts are not those of {version}");
    }
}
