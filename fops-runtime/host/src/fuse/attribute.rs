//! Attributes of the small sysfs: what a write to one does.
use crate::bus::bus_type::Bus;
use crate::bus::driver::Power;
use crate::bus::removal::Removal;
use fops_runtime::{Cause, Errno, Result};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A file that does something when it is written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Attribute {
    /// Of a driver: takes a device's name.
    Bind(String),
    /// The same.
    Unbind(String),
    /// Of a device: takes a `1`.
    Remove(String),
    /// Of a device: takes `suspend` or `on`.
    Power(String),
    /// Of a device: takes a `1`.
    Reset(String),
    /// Of the bus: takes a `1`.
    Rescan,
}

/// How long the release of a closed file may take to arrive.
const CLOSES: Duration = Duration::from_millis(50);

impl Attribute {
    /// Whether a write to it runs a driver's code, which may sleep.
    pub(super) const fn may_sleep(&self) -> bool {
        matches!(self, Self::Bind(_) | Self::Power(_) | Self::Reset(_) | Self::Rescan)
    }

    /// One `write(2)`: a device's name or a number, with or without a newline. Returns the removal that it has begun, which
    /// the writer waits for.
    ///
    /// # Errors
    /// `EINVAL` for text that is no number, or names no state; else the bus's.
    pub(super) fn write(&self, bus: &Arc<Bus>, data: &[u8]) -> Result<Option<Arc<Removal>>> {
        let text = std::str::from_utf8(data).unwrap_or("\0");
        let text = text.strip_suffix('\n').unwrap_or(text);
        match self {
            Self::Bind(driver) => {
                await_closes(bus);
                bus.bind(driver, text).map(|()| None)
            }
            Self::Unbind(driver) => bus.unbind(driver, text).map(Some),
            Self::Remove(device) if is_yes(text)? => bus.remove(device, Cause::Removal).map(Some),
            Self::Rescan if is_yes(text)? => {
                await_closes(bus);
                bus.rescan().map(|()| None)
            }
            Self::Power(device) => {
                let power = match text {
                    "suspend" => Power::Suspend,
                    "on" => Power::Resume,
                    _ => return Err(Errno::EINVAL),
                };
                bus.power(device, power).map(|()| None)
            }
            Self::Reset(device) if is_yes(text)? => bus.power(device, Power::Reset).map(|()| None),
            Self::Remove(_) | Self::Reset(_) | Self::Rescan => Ok(None),
        }
    }
}

/// Waits for the release of files that were closed before: FUSE sends it after `close(2)` has returned, and until then the
/// name of the old node is taken. A file that is still open cannot be told from those, so this gives up soon.
fn await_closes(bus: &Bus) {
    let began = Instant::now();
    while bus.devices().keeps_old_names() && began.elapsed() < CLOSES {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// As `kstrtoul` has it: 0 is heeded, and asks for nothing.
fn is_yes(text: &str) -> Result<bool> {
    text.parse::<u64>().map(|number| number != 0).map_err(|_| Errno::EINVAL)
}
