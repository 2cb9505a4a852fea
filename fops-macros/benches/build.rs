//! What the attribute costs a build from scratch, beside its libraries alone: `cargo bench -p fops-macros --bench build`.
//!
//! A package that depends on this crate, and one whose proc-macro is empty and depends on the same libraries, are built
//! from nothing in turn. What counts is the time that all processors spent, in user and kernel mode together: how it is
//! spread over them is the machine's affair. Of several rounds the least of each counts, which is the one that the
//! machine's other work disturbed least.
//!
//! It fails where the attribute makes the build more than a tenth longer.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROUNDS: usize = 5;

/// The hundredths of a second that processes begun here have spent, once they ended: fields 16 and 17 of proc_pid_stat(5).
fn spent() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("a Linux kernel");
    let fields = stat.rsplit(')').next().expect("the name ends").split_whitespace();
    fields.skip(13).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Builds the package from scratch.
fn build(package: &Path) -> u64 {
    let target = package.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).expect("what an earlier run left is removed");
    }
    let before = spent();
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        // As libraries from a registry are built.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .current_dir(package)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    spent() - before
}

/// A package that is empty but for this dependency.
fn package(name: &str, dependency: &str) -> PathBuf {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(package.join("src")).expect("a directory");
    let manifest = format!(
        "[workspace]\nmembers = [\".\"]\n[package]\nname = \"{name}\"\nedition = \"2024\"\n[dependencies]\n{dependency}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
    fs::write(package.join("src/lib.rs"), "").expect("a library");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock");
    fs::copy(lock, package.join("Cargo.lock")).expect("the versions of the workspace");
    package
}

/// A proc-macro with our libraries that does nothing.
fn empty_macro(package: &Path) {
    let directory = package.join("empty");
    fs::create_dir_all(directory.join("src")).expect("a directory");
    let ours = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).expect("our manifest");
    let libraries = ours.split("[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("a table");
    let manifest = format!(
        "[package]\nname = \"empty\"\nedition = \"2024\"\n[lib]\nproc-macro = true\n[dependencies]{libraries}\n"
    );
    fs::write(directory.join("Cargo.toml"), manifest).expect("a manifest");
    fs::write(directory.join("src/lib.rs"), "").expect("a library");
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let libraries = package("libraries", "empty.path = \"empty\"");
    empty_macro(&libraries);
    let with_macro = package("with-macro", &format!("fops-macros.path = {:?}", env!("CARGO_MANIFEST_DIR")));
    let (mut least_libraries, mut least_with_macro) = (u64::MAX, u64::MAX);
    for round in 1..=ROUNDS {
        let (libraries, with_macro) = (build(&libraries), build(&with_macro));
        let seconds = |spent: u64| format!("{}.{:02} s", spent / 100, spent % 100);
        println!("  round {round}: libraries {}, with the macro {}", seconds(libraries), seconds(with_macro));
        least_libraries = least_libraries.min(libraries);
        least_with_macro = least_with_macro.min(with_macro);
    }
    let ratio = f64::from(u32::try_from(least_with_macro).expect("less than a year"))
        / f64::from(u32::try_from(least_libraries).expect("less than a year"));
    println!("a build from scratch, processor time, the least of {ROUNDS}: ratio {ratio:.2}");
    assert!(ratio <= 1.1, "the attribute has become slow to build");
}
