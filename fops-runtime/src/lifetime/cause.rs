//! Why a device goes, and why it does not.
use super::circle::Circle;
use crate::abi::Errno;
use core::fmt;

/// Why a device is unplugged.
///
/// Ordered from the mildest to the worst: an unplug that is under way may turn into a worse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Cause {
    /// The driver lets go of it: somebody wrote to `unbind`, or the driver is unloaded.
    Unbind,
    /// It is removed by software: an overlay, a bus that is rescanned. The hardware still answers.
    Removal,
    /// The hardware is gone already: its registers read as ones.
    SurpriseRemoval,
}

impl Cause {
    /// Whether the hardware still answers, so that it can and must be stopped.
    pub const fn hardware_present(self) -> bool {
        !matches!(self, Self::SurpriseRemoval)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbind => "unbind",
            Self::Removal => "removal",
            Self::SurpriseRemoval => "surprise removal",
        })
    }
}

/// Why an unplug did not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnplugError {
    /// The unplug would wait for itself, by the way that the [`Circle`] names. All devices stay as they were. Converts into
    /// `EDEADLK`.
    ///
    /// It is found where threads can be told apart, and before anything hangs. Not found are circles through an
    /// [`OwnedAccess`](crate::OwnedAccess), which may be anybody's, and through locks of the driver's own.
    Deadlock(Circle),
    /// A device is named twice among those that go together: its resources cannot come back twice. All devices stay as
    /// they were. Converts into `EINVAL`.
    NamedTwice,
    /// Another unplug has the resources. It was waited for. Converts into `ENODEV`.
    AlreadyUnplugged,
    /// Another unplug has not ended within the limit. The devices are closed, and an unplug of theirs goes on from there.
    /// Converts into `EBUSY`.
    Busy,
    /// The system refuses the fence that tells whether a section is open: `membarrier(2)` worked when the first
    /// section was opened, and does not any more, as under a seccomp filter that was installed since. The device
    /// is closed and whoever sleeps is woken, but the resources stay where they are, and nothing is freed; another
    /// unplug tries again. Converts into `EPERM`.
    FenceRefused,
}

impl fmt::Display for UnplugError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deadlock(circle) => return write!(f, "unplug would wait for itself: {circle}"),
            Self::NamedTwice => "a device is named twice among those that are unplugged together",
            Self::AlreadyUnplugged => "the device was unplugged by somebody else",
            Self::Busy => "another unplug of the device has not ended in time",
            Self::FenceRefused => "membarrier(2) is refused: the device is closed, and its resources are kept",
        })
    }
}

impl core::error::Error for UnplugError {}

impl From<UnplugError> for Errno {
    fn from(error: UnplugError) -> Self {
        match error {
            UnplugError::Deadlock(_) => Self::EDEADLK,
            UnplugError::NamedTwice => Self::EINVAL,
            UnplugError::AlreadyUnplugged => Self::ENODEV,
            UnplugError::Busy => Self::EBUSY,
            UnplugError::FenceRefused => Self::EPERM,
        }
    }
}
