//! What an unplug may be waiting for.
use super::resources::Escape;
use crate::op::Op;
use core::fmt;

/// What an unplug may be waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// A device access section.
    Section(&'static Op),
    /// A start of the hardware, by [`Access::arm`](crate::Access::arm), which the stop hook waits for.
    Start,
    /// The driver's stop hook.
    StopHook,
    /// The driver's wake hook.
    WakeHook,
    /// A callback of [`Access::with_cancellation`](crate::Access::with_cancellation).
    Cancellation,
    /// A poller that is being woken: it must not sleep.
    Poller,
    /// The remover's role of the device with this number, which another unplug has.
    Role(u64),
    /// A clone of a handle of the resources, where the driver says `unplug(escapes = wait)`.
    Escape(Escape),
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Section(op) => return write!(f, "{op}"),
            Self::Start => "a start of the hardware",
            Self::StopHook => "the stop hook",
            Self::WakeHook => "the wake hook",
            Self::Cancellation => "a cancellation",
            Self::Poller => "a poller",
            Self::Role(device) => return write!(f, "the remover's role of device {device}"),
            Self::Escape(escape) => return write!(f, "{escape}"),
        })
    }
}
