//! How many instructions a pair of enter and exit takes: no more than is written here.
#![cfg(all(feature = "std", target_arch = "x86_64", target_os = "linux", not(loom)))]
mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

/// Of a thousand pairs, with their loop and what is around it. Lower them when they go down.
const LIMITS: [(&str, u64); 3] = [("plain", 18_100), ("nested", 23_100), ("owned", 19_100)];

/// What tracing may add to a thousand pairs when it is compiled in and nobody listens.
const TRACING: u64 = 9_100;

/// Instructions of `counted_*`, and of all that it calls.
fn instructions(program: &Path, what: &str) -> u64 {
    let out = program.with_extension(what);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*counted*"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args([program.as_os_str(), what.as_ref()])
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile = std::fs::read_to_string(&out).expect("callgrind writes");
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.and_then(|count| count.trim().parse().ok()).expect("callgrind counts")
}

/// Builds `pairs/`, optimized, with these features. Returns its path.
fn build(features: &str) -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let into = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pairs").join(features);
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--features", features, "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pairs/Cargo.toml"))
        .arg("--target-dir")
        .arg(&into)
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    into.join("release/pairs")
}

#[test]
fn a_pair_takes_no_more_than_is_written_down() {
    if std::env::var_os("FOPS_FENCE").is_some_and(|fence| fence == "symmetric") {
        // A pair with real fences is another one; what is written down is for the usual.
        return;
    }
    if Command::new("valgrind").arg("--version").output().is_err() {
        return common::skip("there is no valgrind: run `apt-get install valgrind`");
    }
    let (plain, traced) = (build(""), build("tracing"));
    for (what, limit) in LIMITS {
        let count = instructions(&plain, what);
        println!("{what}: {count} instructions in 1000 pairs, at most {limit}");
        assert!(count > 5_000, "{what}: {count} instructions: nothing was counted");
        assert!(count <= limit, "{what}: {count} instructions, and no more than {limit} before");
        // Compiled in, with nobody who listens: two loads that are compared.
        let with = instructions(&traced, what);
        println!("{what}: {with} with the tracing feature, disabled");
        assert!(with <= count + TRACING, "{what}: tracing that is disabled takes {} instructions", with - count);
    }
}
