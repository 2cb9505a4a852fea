//! What the attribute costs a build from scratch, beside its libraries alone: `cargo bench -p fops-macros --bench build`.
//!
//! Where there is valgrind, it counts the instructions of each rustc in one build of a package that depends on this crate:
//! the machine's other work changes nothing of these. It takes some minutes.
//!
//! Elsewhere that package, and one whose proc-macro is empty and depends on the same libraries, are built from nothing in
//! turn. What counts then is the time that all processors spent, in user and kernel mode together, and of several rounds
//! the least of each, which is the one that was disturbed least.
//!
//! It fails where the attribute makes the build more than a tenth longer.
use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const ROUNDS: usize = 5;

/// The hundredths of a second that processes begun here have spent, once they ended: fields 16 and 17 of proc_pid_stat(5).
fn spent() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("a Linux kernel");
    let fields = stat.rsplit(')').next().expect("the name ends").split_whitespace();
    fields.skip(13).take(2).map(|field| field.parse::<u64>().expect("a number")).sum()
}

/// Builds the package from scratch.
fn build(package: &Path, counts: Option<&Path>) -> u64 {
    let target = package.join("target");
    if target.exists() {
        fs::remove_dir_all(&target).expect("what an earlier run left is removed");
    }
    let before = spent();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--offline", "--target-dir"])
        .arg(&target)
        // As libraries from a registry are built.
        .env("CARGO_INCREMENTAL", "0")
        .env_remove("RUSTFLAGS")
        .current_dir(package);
    if let Some(counts) = counts {
        cargo.env("RUSTC_WRAPPER", env::current_exe().expect("this has a path")).env(COUNTS, counts);
    }
    let output = cargo.output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    spent() - before
}

/// Names the directory for the counts to a rustc that is run by this program.
const COUNTS: &str = "FOPS_COUNTS";

/// Stands before rustc: runs it under valgrind, where it compiles something.
fn count(counts: &Path) -> ! {
    let rustc: Vec<_> = env::args_os().skip(1).collect();
    let name = rustc.iter().skip_while(|argument| *argument != "--crate-name").nth(1);
    let asks = |argument: &OsString| argument.to_string_lossy().starts_with("--print");
    let mut command = match name {
        Some(name) if !rustc.iter().any(asks) => {
            let mut log = OsString::from("--log-file=");
            log.push(counts.join(name));
            // Several crates may have one name, as build scripts do.
            log.push(".%p");
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]).arg(log);
            valgrind.args(&rustc);
            valgrind
        }
        _ => {
            let mut plain = Command::new(&rustc[0]);
            plain.args(&rustc[1..]);
            plain
        }
    };
    exit(command.status().ok().and_then(|status| status.code()).unwrap_or(1))
}

/// The instructions of the libraries' compilers, and of this crate's.
fn counted(with_macro: &Path) -> (u64, u64) {
    let counts = with_macro.join("counts");
    if counts.exists() {
        fs::remove_dir_all(&counts).expect("what an earlier run left is removed");
    }
    fs::create_dir_all(&counts).expect("a directory");
    build(with_macro, Some(&counts));
    let (mut libraries, mut ours) = (0, 0);
    for log in fs::read_dir(&counts).expect("a directory") {
        let log = log.expect("a file").path();
        let text = fs::read_to_string(&log).expect("a log");
        // A process that became the linker has a log too, and nothing in it.
        let Some((_, count)) = text.lines().find_map(|line| line.split_once("I   refs:")) else { continue };
        let count: u64 = count.trim().replace(',', "").parse().expect("a number");
        match log.file_stem().and_then(OsStr::to_str) {
            Some("fops_macros") => ours += count,
            // The package around it.
            Some("with_macro") => {}
            _ => libraries += count,
        }
    }
    assert!(ours > 0 && libraries > ours, "{} holds the counts of all crates", counts.display());
    (libraries, ours)
}

/// Processor time, in hundredths of a second: of the libraries' build, and what the macro adds.
fn timed(with_macro: &Path) -> (u64, u64) {
    let libraries = package("libraries", "empty.path = \"empty\"");
    empty_macro(&libraries);
    let (mut least_libraries, mut least_with_macro) = (u64::MAX, u64::MAX);
    for round in 1..=ROUNDS {
        let (libraries, with_macro) = (build(&libraries, None), build(with_macro, None));
        println!("  round {round}: libraries {libraries}, with the macro {with_macro}");
        least_libraries = least_libraries.min(libraries);
        least_with_macro = least_with_macro.min(with_macro);
    }
    (least_libraries, least_with_macro.saturating_sub(least_libraries))
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
    if let Some(counts) = env::var_os(COUNTS) {
        count(Path::new(&counts));
    }
    // `cargo test --benches` only asks whether it runs.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    let with_macro = package("with-macro", &format!("fops-macros.path = {:?}", env!("CARGO_MANIFEST_DIR")));
    let has_valgrind = Command::new("valgrind").arg("--version").output().is_ok();
    let (unit, (libraries, ours)) = match has_valgrind {
        true => ("instructions", counted(&with_macro)),
        false => ("hundredths of a second of processor time", timed(&with_macro)),
    };
    let ratio = (libraries + ours) as f64 / libraries as f64;
    println!("a build from scratch: libraries {libraries} {unit}, the macro {ours} more: ratio {ratio:.3}");
    assert!(ratio <= 1.1, "the attribute has become slow to build");
}
