//! Runs `pass/*.rs`, which compile, and `fail/<rule>/*.rs`, which do not and say why in the `.stderr` beside them.
//!
//! After a change of messages, `TRYBUILD=overwrite cargo test -p ui-tests` writes them anew.

use std::{env, ffi::OsString, fs, io, path::Path, process::Command};

use trybuild::TestCases;

/// The compiler that the `.stderr` files were written with: others word and underline differently.
const WRITTEN_WITH: &str = "rustc 1.95.";

/// Where the failing cases are copied to for another compiler.
const COPIES: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/ui-fail");

#[test]
fn right_use_compiles() {
    TestCases::new().pass("pass/*.rs");
}

#[test]
fn mistakes_are_explained() {
    let version = compiler_version();
    if version.starts_with(WRITTEN_WITH) {
        TestCases::new().compile_fail("fail/*/*.rs");
        return;
    }
    println!("{version}: the cases must fail, their texts were written with {WRITTEN_WITH}x and are not compared");
    copy_cases().expect("the cases can be copied");
    let this = env::current_exe().expect("the test knows where it is");
    let status = Command::new(this)
        .args(["copies_fail", "--exact", "--ignored", "--nocapture"])
        .env("TRYBUILD", "overwrite")
        .status();
    assert!(status.is_ok_and(|status| status.success()), "a case of `fail/` compiles");
}

/// With `TRYBUILD=overwrite` a case may say what it likes, as long as it fails.
#[test]
#[ignore = "`mistakes_are_explained` runs it on other compilers"]
fn copies_fail() {
    if Path::new(COPIES).exists() {
        TestCases::new().compile_fail(format!("{COPIES}/*/*.rs"));
    }
}

fn compiler_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let output = Command::new(rustc).arg("--version").output().expect("rustc runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Copies the failing cases, without their texts.
fn copy_cases() -> io::Result<()> {
    let copies = Path::new(COPIES);
    if copies.exists() {
        fs::remove_dir_all(copies)?;
    }
    for rule in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fail"))? {
        let rule = rule?;
        let copy = copies.join(rule.file_name());
        fs::create_dir_all(&copy)?;
        for case in fs::read_dir(rule.path())? {
            let case = case?.path();
            if let (Some(name), true) = (case.file_name(), case.extension().is_some_and(|end| end == "rs")) {
                fs::copy(&case, copy.join(name))?;
            }
        }
    }
    Ok(())
}
