//! Tests that cannot run here say so. For the tests of all crates.
#![allow(unreachable_pub, reason = "each test file uses its part")]
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Write, stderr};
use std::panic::Location;
use std::path::Path;
use std::thread;

/// Says that the running test, or a part of it, cannot run here, why, and what to do.
///
/// On standard error, past the capture of tests that pass, and in the file that `FOPS_SKIPPED` names. With
/// `FOPS_REQUIRE=1` that is a failure.
#[track_caller]
pub fn skip(why: &str) {
    let caller = Location::caller();
    let file = Path::new(caller.file()).file_stem().and_then(OsStr::to_str).unwrap_or("?");
    let thread = thread::current();
    let test = match thread.name() {
        Some(name) if name != "main" => format!("{file}::{name}"),
        _ => format!("{file}, line {}", caller.line()),
    };
    let line = format!("SKIPPED {test}: {why}");
    assert!(std::env::var_os("FOPS_REQUIRE").is_none_or(|value| value != "1"), "{line}");
    let _ = writeln!(stderr(), "{line}");
    if let Some(path) = std::env::var_os("FOPS_SKIPPED") {
        let file = File::options().append(true).create(true).open(&path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
