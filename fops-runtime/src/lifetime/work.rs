//! What an unplug may be waiting for.
use super::resources::Escape;
use crate::op::Op;

/// What an unplug may be waiting for.
#[derive(Debug, Clone, Copy)]
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
