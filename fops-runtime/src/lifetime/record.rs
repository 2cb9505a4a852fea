//! What an unplug has done, to be read afterwards.
use super::cause::Cause;
use crate::op::Op;
use crate::platform;
use core::fmt;
use core::time::Duration;

/// The record of one device's unplug: what was in flight, what was woken, and how long each step took.
///
/// It is complete when the resources are handed back, and can be read before: a step that has not come yet is `None`. Times
/// are counted from the flag, when new sections began to be refused.
///
/// Displays as one line:
///
/// ```text
/// unbind of device 7, asked for by thread 12 "removal": 3 in flight, 2 woken, 1 cancelled, 5 refused; told after 12µs, stopped after 31µs, drained after 120µs; last out: Vin::ioctl (src/vin.rs:12)
/// ```
///
/// ```
/// use fops_runtime::{Cause, DeviceLifetime, Unplug};
///
/// let lifetime = DeviceLifetime::new("registers");
/// assert!(lifetime.record().is_none());
/// lifetime.alone().unplug(Cause::Removal).unwrap();
/// let record = lifetime.record().unwrap();
/// assert_eq!((record.cause, record.in_flight), (Cause::Removal, 0));
/// assert!(record.drained >= record.told);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// The device's number: [`DeviceLifetime::id`](crate::DeviceLifetime::id).
    pub device: u64,
    /// The worst cause that anybody gave.
    pub cause: Cause,
    /// The thread that set the flag, by the number that [`Report`](crate::Report)s have; 0 if it was a task, or where threads
    /// cannot be told apart.
    pub thread: u64,
    /// The sections that were open when the sleepers were woken, as far as they have names.
    pub in_flight: u32,
    /// How many of those slept through the runtime, and were woken. In the kernel and without `std`, sleepers are
    /// cancelled instead.
    pub woken: u32,
    /// The cancellations that were called.
    pub cancelled: u32,
    /// The sections that were refused since, as far as now. Operations that run after unplug too do not count.
    pub refused: u64,
    /// When all sleepers had been woken, and all cancellations called.
    pub told: Option<Duration>,
    /// When the stop hook had run. `None` also for a device without hooks.
    pub stopped: Option<Duration>,
    /// When no section was left, and the resources were handed back.
    pub drained: Option<Duration>,
    /// The operation that kept the drain waiting to its end. `None` if all had left by themselves.
    pub last_out: Option<&'static Op>,
}

impl Record {
    pub(super) const fn new(device: u64, thread: u64) -> Self {
        Self {
            device,
            cause: Cause::Unbind,
            thread,
            in_flight: 0,
            woken: 0,
            cancelled: 0,
            refused: 0,
            told: None,
            stopped: None,
            drained: None,
            last_out: None,
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, cause, thread, in_flight, woken, cancelled, refused, .. } = self;
        write!(f, "{cause} of device {device}, asked for by ")?;
        if *thread == 0 {
            f.write_str("a task")?;
        } else {
            f.write_str("thread ")?;
            platform::fmt_thread(*thread, f)?;
        }
        write!(f, ": {in_flight} in flight, {woken} woken, {cancelled} cancelled, {refused} refused; ")?;
        let mut is_first = true;
        for (step, after) in [("told", self.told), ("stopped", self.stopped), ("drained", self.drained)] {
            if let Some(after) = after {
                write!(f, "{}{step} after {after:.0?}", if is_first { "" } else { ", " })?;
                is_first = false;
            }
        }
        if self.drained.is_none() {
            f.write_str(if is_first { "not drained" } else { ", not drained" })?;
        }
        match self.last_out {
            Some(op) => write!(f, "; last out: {op}"),
            None => Ok(()),
        }
    }
}
