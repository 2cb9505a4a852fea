//! Attributes of the small sysfs: what a write to one does.
use super::caller::with_grace;
use crate::bus::bus_type::Bus;
use crate::bus::removal::Removal;
use fops_runtime::{Cause, Errno, Result};
use std::sync::Arc;
use std::time::Duration;

/// A file that does something when it is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Of a driver: takes a device's name.
    Bind(String),
    /// The same.
    Unbind(String),
    /// Of a device: takes a `1`.
    Remove(String),
    /// Of the bus: takes a `1`.
    Rescan,
}

/// How long a writer that waits for a removal, and got a signal, still waits.
const GRACE: Duration = Duration::from_millis(500);

impl Attribute {
    /// One `write(2)`: a device's name or a number, with or without a newline.
    ///
    /// # Errors
    /// `EINVAL` for what is no number; else the bus's.
    pub(super) fn write(&self, bus: &Arc<Bus>, data: &[u8]) -> Result {
        let text = std::str::from_utf8(data).unwrap_or("\0");
        let text = text.strip_suffix('\n').unwrap_or(text);
        match self {
            Self::Bind(driver) => bus.bind(driver, text),
            Self::Unbind(driver) => wait_for(&*bus.unbind(driver, text)?),
            Self::Remove(device) if is_yes(text)? => wait_for(&*bus.remove(device, Cause::Removal)?),
            Self::Rescan if is_yes(text)? => bus.rescan(),
            Self::Remove(_) | Self::Rescan => Ok(()),
        }
    }
}

/// As `kstrtoul` has it: 0 is heeded, and asks for nothing.
fn is_yes(text: &str) -> Result<bool> {
    text.parse::<u64>().map(|number| number != 0).map_err(|_| Errno::EINVAL)
}

/// A writer that is killed gets `EINTR`, and what it began goes on. FUSE says only that there is a signal: a harmless
/// one, such as a shell's SIGCHLD, is given [`GRACE`] to be overtaken by the removal.
fn wait_for(removal: &Removal) -> Result {
    with_grace(GRACE, |limit| match limit {
        None => removal.wait().map(Some),
        Some(limit) => removal.wait_for(limit),
    })
    .map(drop)
}
