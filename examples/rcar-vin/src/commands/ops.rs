//! `ops`: the table of operations.
use super::Outcome;
use fops_runtime::{Guarded, Policy, key};
use rcar_vin::core::RcarVin;
use std::process::ExitCode;

pub(crate) fn run() -> Outcome {
    print();
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print() {
    let ops = <RcarVin as Guarded<{ key("FileOperations") }>>::OPS;
    println!("{:<18} {:<10} when it runs", "operation", "policy");
    for op in ops {
        let (policy, when) = match op.policy() {
            Policy::Guarded => ("guarded", "while the device is there; then ENODEV, poll its mask"),
            Policy::Always => ("always", "after unplug too, then without access to the device"),
            Policy::Unguarded { reason } => ("unguarded", reason),
        };
        println!("{:<18} {policy:<10} {when}", format!("{}::{}", op.type_name(), op.name()));
    }
}
