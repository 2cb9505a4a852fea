//! The gate against its peers: `cargo bench -p fops-runtime --bench gate`, and `-- --json FILE` to have the figures.
//!
//! Writes the table as a picture, `gate.svg`, into the target folder.
#![allow(missing_docs, reason = "a program")]
#[cfg(all(target_os = "linux", not(loom)))]
mod contenders;
#[cfg(all(target_os = "linux", not(loom)))]
mod floors;
#[cfg(all(target_os = "linux", not(loom)))]
mod measure;
#[cfg(all(target_os = "linux", not(loom)))]
mod memory;
#[cfg(all(target_os = "linux", not(loom)))]
mod output;
#[cfg(all(target_os = "linux", not(loom)))]
mod run;
#[cfg(all(target_os = "linux", not(loom)))]
mod unplug;
#[cfg(all(target_os = "linux", not(loom)))]
mod urcu;

#[cfg(all(target_os = "linux", not(loom)))]
fn main() {
    run::main();
}

#[cfg(not(all(target_os = "linux", not(loom))))]
fn main() {
    eprintln!("the benchmark knows Linux alone");
}
