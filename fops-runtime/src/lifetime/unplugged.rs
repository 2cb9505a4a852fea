//! Why a section was not opened.
use crate::abi::Errno;
use core::fmt;

/// The device is gone: the value `Unplugged`, which converts into `ENODEV`.
///
/// A section that has to wait because the device is [paused](crate::DeviceLifetime::pause_for) may be refused too, and this
/// is its error then. It does not equal the value `Unplugged`, and converts into `EAGAIN` if the caller does not want to
/// sleep, or into `EINTR` if a signal came for the caller.
///
/// ```
/// use fops_runtime::{Errno, Unplugged};
///
/// struct Refused(Errno);
///
/// impl From<Unplugged> for Refused {
///     fn from(refused: Unplugged) -> Self { Self(refused.into()) }
/// }
/// assert_eq!(Refused::from(Unplugged).0, Errno::ENODEV);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unplugged {
    why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Gone,
    #[cfg(feature = "std")]
    WouldBlock,
    #[cfg(feature = "std")]
    Interrupted,
}

/// The device is gone.
#[allow(non_upper_case_globals, reason = "the value of the type of this name")]
pub const Unplugged: Unplugged = Unplugged { why: Why::Gone };

#[cfg(feature = "std")]
impl Unplugged {
    /// The device is paused, and the caller does not want to sleep.
    pub(super) const WOULD_BLOCK: Self = Self { why: Why::WouldBlock };
    /// The device is paused, and a signal came for the caller.
    pub(super) const INTERRUPTED: Self = Self { why: Why::Interrupted };
}

impl fmt::Display for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.why {
            Why::Gone => "the device is unplugged",
            #[cfg(feature = "std")]
            Why::WouldBlock => "the device is paused, and the caller does not wait",
            #[cfg(feature = "std")]
            Why::Interrupted => "the device is paused, and a signal came for the caller",
        })
    }
}

impl fmt::Debug for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Gone => f.write_str("Unplugged"),
            #[cfg(feature = "std")]
            why => f.debug_tuple("Unplugged").field(&why).finish(),
        }
    }
}

impl core::error::Error for Unplugged {}

#[cfg(feature = "std")]
impl From<Unplugged> for std::io::Error {
    fn from(refused: Unplugged) -> Self {
        Errno::from(refused).into()
    }
}

impl From<Unplugged> for Errno {
    #[inline]
    fn from(refused: Unplugged) -> Self {
        match refused.why {
            Why::Gone => Self::ENODEV,
            #[cfg(feature = "std")]
            Why::WouldBlock => Self::EAGAIN,
            #[cfg(feature = "std")]
            Why::Interrupted => Self::EINTR,
        }
    }
}
