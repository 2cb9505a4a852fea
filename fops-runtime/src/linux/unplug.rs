//! An unplug that says in the kernel log what it waits for.
use crate::lifetime::{Cause, Unplug, UnplugError};
use ::kernel::prelude::*;
use core::time::Duration;

/// Unplugs a device, and returns its resources once nobody uses them any more. `None` if they have been handed out before.
///
/// Sleeps for as long as operations are in flight, or another unplug is. The kernel log names each of them after a second,
/// and again in growing intervals. `name` is the device's, for the log.
pub fn unplug_and_log<D: Unplug>(device: &D, name: &CStr, cause: Cause) -> Option<D::Resources> {
    const LONGEST: Duration = Duration::from_secs(60);
    let mut pause = Duration::from_secs(1);
    let mut draining = loop {
        match device.begin_unplug_for(cause, pause) {
            Ok(draining) => break draining,
            Err(UnplugError::AlreadyUnplugged) => return None,
            Err(UnplugError::Busy) => log_stragglers(device, name),
            Err(error) => {
                pr_err!("unplug of {name}: {error}\n");
                return None;
            }
        }
        pause = (pause * 2).min(LONGEST);
    };
    loop {
        match draining.wait_for(pause) {
            Ok(resources) => return Some(resources),
            Err(unfinished) => draining = unfinished,
        }
        log_stragglers(device, name);
        pause = (pause * 2).min(LONGEST);
    }
}

fn log_stragglers(device: &impl Unplug, name: &CStr) {
    let report = device.report();
    for straggler in report.stragglers() {
        pr_warn!("INFO: unplug of {name} waits for {straggler}\n");
    }
    match report.unnamed() {
        0 => {}
        more => pr_warn!("INFO: unplug of {name} waits for {more} more sections\n"),
    }
}
