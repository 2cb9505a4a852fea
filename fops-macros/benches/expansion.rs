//! What the attribute costs an author's build, beside `tracing::instrument`: `cargo bench -p fops-macros`.
//!
//! A macro runs inside of the compiler, so the compiler measures: `-Ztime-passes` says how long `macro_expand_crate`
//! took, which is the macro and what it costs to hand tokens back and forth. One crate has many copies of an impl of 12
//! methods, once plain, once under `#[guarded_fops]`, once with `#[instrument]` on each method; each is compiled
//! several times in turn. The medians less that of the plain crate, by the number of copies, are what one impl costs.
//! The macros are built as cargo builds them by default, unoptimized. The time of the whole check is printed too: it
//! has in it what the compiler makes of the outcome.
//!
//! It fails where `#[guarded_fops]` costs more than a third of `#[instrument]`.
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

const COPIES: u32 = 100;
const ROUNDS: usize = 7;

const METHODS: [&str; 12] = [
    "open",
    "read",
    "write",
    "ioctl",
    "compat_ioctl",
    "mmap",
    "llseek",
    "fsync",
    "read_iter",
    "write_iter",
    "lock",
    "flock",
];

#[derive(Clone, Copy, PartialEq)]
enum Under {
    Nothing,
    Guarded,
    Instrument,
}

const ALL: [(Under, &str); 3] =
    [(Under::Nothing, "plain"), (Under::Guarded, "guarded"), (Under::Instrument, "instrument")];

/// A program that has the impl many times.
fn program(under: Under) -> String {
    let mut source = String::from("#![allow(dead_code)]\nfn main() {}\n");
    for copy in 0..COPIES {
        let attribute = if under == Under::Guarded {
            "#[fops_runtime::guarded_fops(lifetime = lifetime, default = guarded)]\n"
        } else {
            ""
        };
        let on_method = if under == Under::Instrument { "    #[tracing::instrument(skip_all)]\n" } else { "" };
        let access = if under == Under::Guarded { "#[access] hw: &fops_runtime::Access<'_, u8>, " } else { "" };
        write!(source, "struct D{copy} {{ lifetime: fops_runtime::DeviceLifetime<u8> }}\n{attribute}impl D{copy} {{\n")
            .expect("memory");
        for method in METHODS {
            write!(
                source,
                "{on_method}    fn {method}(&self, {access}file: &u64, count: usize, text: String) -> fops_runtime::Result<usize> {{
        let mut sum = count + text.len();
        for i in 0..*file {{
            if i % 3 == 0 {{
                sum += usize::try_from(i).unwrap_or(0);
            }}
        }}
        Ok(sum)
    }}\n"
            )
            .expect("memory");
        }
        source.push_str("}\n");
    }
    source
}

/// How long it takes to expand the macros of the program, and to check all of it.
fn check(package: &Path, name: &str) -> [Duration; 2] {
    let source = package.join("src/bin").join(name).with_extension("rs");
    let text = fs::read_to_string(&source).expect("it was written");
    fs::write(&source, text).expect("it is touched");
    let began = Instant::now();
    let output = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()))
        .args(["rustc", "--quiet", "--offline", "--profile=check", "--bin", name, "--target-dir"])
        .arg(package.join("target"))
        // On standard error.
        .args(["--", "-Ztime-passes"])
        .env("CARGO_INCREMENTAL", "0")
        // `-Z` on a stable compiler.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(package)
        .output()
        .expect("cargo runs");
    let all = began.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} does not compile: {said}");
    let pass = said.lines().find(|line| line.trim_end().ends_with("macro_expand_crate")).expect("the pass is timed");
    let seconds =
        pass.trim_start().trim_start_matches("time:").split(';').next().and_then(|time| time.trim().parse().ok());
    [Duration::from_secs_f64(seconds.expect("seconds")), all]
}

fn package() -> PathBuf {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("expansion");
    let runtime = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fops-runtime");
    fs::create_dir_all(package.join("src/bin")).expect("a directory");
    let manifest = format!(
        "[workspace]\n[package]\nname = \"expansion\"\nedition = \"2024\"\n[dependencies]\nfops-runtime.path = {runtime:?}\ntracing = \"0.1\"\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
    fs::copy(runtime.join("../Cargo.lock"), package.join("Cargo.lock")).expect("the versions of the workspace");
    for (under, name) in ALL {
        fs::write(package.join("src/bin").join(name).with_extension("rs"), program(under)).expect("a program");
    }
    package
}

fn main() {
    // `cargo test --benches` only asks whether it runs.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let package = package();
    for (_, name) in ALL {
        check(&package, name);
    }
    let mut times = [const { [const { Vec::new() }; 2] }; ALL.len()];
    for _ in 0..ROUNDS {
        for (times, (_, name)) in times.iter_mut().zip(ALL) {
            times.iter_mut().zip(check(&package, name)).for_each(|(times, time)| times.push(time));
        }
    }
    println!("an impl of {} methods, medians of {ROUNDS} runs of {COPIES} copies:", METHODS.len());
    let [expanding, _all] = [(0, "expansion"), (1, "whole check")].map(|(which, name)| {
        let [plain, guarded, instrument] = times.each_ref().map(|times| median(&times[which]));
        let cost = |under: Duration| under.saturating_sub(plain) / COPIES;
        let (guarded, instrument) = (cost(guarded), cost(instrument));
        let ratio = guarded.as_secs_f64() / instrument.as_secs_f64();
        println!("  {name:12} #[guarded_fops] {guarded:.2?}, #[instrument] on each {instrument:.2?}, ratio {ratio:.2}");
        ratio
    });
    assert!(expanding <= 1.0 / 3.0, "the attribute has become slow");
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}
