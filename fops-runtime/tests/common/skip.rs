//! Tests that cannot run here say so.
#![allow(unreachable_pub, reason = "each test file uses its part")]
use std::fs::File;
use std::io::{Write, stderr};

/// Says that the running test, or a part of it, cannot run here, why, and what to do.
///
/// On standard error, past the capture of tests that pass, and in the file that `FOPS_SKIPPED` names. With
/// `FOPS_REQUIRE=1` that is a failure.
pub fn skip(why: &str) {
    let line = format!("SKIPPED {}: {why}", std::thread::current().name().unwrap_or("a test"));
    assert!(std::env::var_os("FOPS_REQUIRE").is_none_or(|value| value != "1"), "{line}");
    let _ = writeln!(stderr(), "{line}");
    if let Some(path) = std::env::var_os("FOPS_SKIPPED") {
        let file = File::options().append(true).create(true).open(&path);
        file.and_then(|mut file| writeln!(file, "{line}"))
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
