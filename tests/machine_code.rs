//! What the attribute writes costs nothing: its operations run as many instructions as the same written by hand.
use std::path::Path;
use std::process::Command;

/// Builds `machine_code/`, optimized. Returns its path.
fn build(into: &Path) -> std::path::PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/machine_code/Cargo.toml");
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--manifest-path", manifest, "--target-dir"])
        .arg(into)
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    into.join("release/machine-code")
}

/// Instructions between the entry of the function and its return, callees included.
fn instructions(program: &Path, function: &str) -> u64 {
    let out = program.with_extension(function);
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect=*{function}*")])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .args([program.as_os_str(), function.as_ref()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let profile = std::fs::read_to_string(&out).unwrap();
    let totals = profile.lines().find_map(|line| line.strip_prefix("totals: "));
    totals.and_then(|count| count.trim().parse().ok()).expect("callgrind counts")
}

#[test]
fn same_instructions() {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return system_tests::skip("there is no valgrind: run `apt-get install valgrind`");
    }
    let program = build(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine-code"));
    let [by_macro, by_hand] = ["counted_by_macro", "counted_by_hand"].map(|function| instructions(&program, function));
    println!("{by_macro} instructions by the macro, {by_hand} by hand, in 1000 calls of four operations");
    assert!(by_hand > 1000 * 4 * 5, "{by_hand} instructions: nothing was counted");
    assert_eq!(by_macro, by_hand);
}
