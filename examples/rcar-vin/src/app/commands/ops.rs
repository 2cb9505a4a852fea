//! `ops`: the table of operations.
use super::Outcome;
use fops_runtime::{FileOperations, OpTable};
use rcar_vin::driver::core::RcarVin;
use rcar_vin::driver::csi2::Csi2;
use rcar_vin::driver::media::MediaDevice;
use std::process::ExitCode;

pub(crate) fn run() -> Outcome {
    print();
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print() {
    let tables = tables().map(|table| table.to_string());
    crate::log::say(format_args!("{}", tables.join("\n\n")));
}

/// Of the video nodes, the receiver's node, the receiver as others call it, and the media node.
fn tables() -> [OpTable; 4] {
    [RcarVin::table(), Csi2::table(), OpTable::of::<Csi2, { OpTable::key("SubdevOperations") }>(), MediaDevice::table()]
}

#[test]
fn every_operation_of_the_drivers_is_guarded() {
    assert_eq!(tables().into_iter().flat_map(OpTable::unguarded).count(), 0);
}
