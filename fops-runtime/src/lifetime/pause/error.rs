//! Why a device was not paused.
extern crate std;

use crate::abi::Errno;
use crate::lifetime::report::Straggler;
use core::fmt;
use std::vec::Vec;

/// Why a device was not paused. It goes on as before.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PauseError {
    /// Some operations have not ended within the limit, or another pause has not: these. Converts into `EBUSY`.
    Busy(Vec<Straggler>),
    /// The calling thread is inside a section of this device, or pauses it: it would wait for itself. Converts into
    /// `EDEADLK`.
    Deadlock,
    /// The device is unplugged, or unplug has begun meanwhile. Converts into `ENODEV`.
    Unplugged,
    /// The system refuses the fence that tells whether a section is open: see
    /// [`UnplugError::FenceRefused`](crate::UnplugError::FenceRefused). Converts into `EPERM`.
    FenceRefused,
}

/// With the stragglers, one a line.
impl fmt::Display for PauseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy(stragglers) => {
                f.write_str("the device was not paused in time:")?;
                stragglers.iter().try_for_each(|straggler| write!(f, "\n{straggler}"))
            }
            Self::Deadlock => f.write_str("a pause from inside a section of the same device would wait for itself"),
            Self::Unplugged => f.write_str("the device is unplugged"),
            Self::FenceRefused => f.write_str("membarrier(2) is refused: the device goes on"),
        }
    }
}

impl core::error::Error for PauseError {}

impl From<PauseError> for Errno {
    fn from(error: PauseError) -> Self {
        match error {
            PauseError::Busy(_) => Self::EBUSY,
            PauseError::Deadlock => Self::EDEADLK,
            PauseError::Unplugged => Self::ENODEV,
            PauseError::FenceRefused => Self::EPERM,
        }
    }
}
