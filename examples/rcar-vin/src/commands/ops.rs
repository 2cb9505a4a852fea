//! `ops`: the table of operations.
use super::Outcome;
use fops_runtime::Guarded;
use rcar_vin::core::RcarVin;
use std::process::ExitCode;

pub(crate) fn run() -> Outcome {
    print();
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print() {
    println!("{}", RcarVin::table());
}

#[test]
fn every_operation_of_the_driver_is_guarded() {
    assert_eq!(RcarVin::table().unguarded().count(), 0);
}
