//! Who keeps an unplug waiting.
use super::{Core, Phase};
use crate::Op;
use crate::platform;
use core::fmt;
use core::time::Duration;

/// What an unplug waits for, at this moment.
///
/// Displays one straggler a line. Nothing is copied: the iterator walks the gate.
#[derive(Clone, Copy)]
pub struct Report<'a> {
    core: &'a Core,
}

/// What an unplug may be waiting for.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// A device access section.
    Section(&'static Op),
    /// The driver's stop hook.
    StopHook,
    /// The driver's wake hook.
    WakeHook,
    /// A callback of [`Access::with_cancellation`](crate::Access::with_cancellation).
    Cancellation,
}

/// One thing that an unplug waits for.
///
/// Displays as `RcarVin::ioctl (src/core.rs:120), thread 77 "worker", client 42 (v4l2-ctl), waited for 1.2s`.
#[derive(Debug, Clone, Copy)]
pub struct Straggler {
    work: Work,
    thread: u64,
    waited: Option<Duration>,
}

impl Straggler {
    /// What it is.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// The operation's descriptor, where it is a section.
    pub const fn op(&self) -> Option<&'static Op> {
        match self.work {
            Work::Section(op) => Some(op),
            _ => None,
        }
    }

    /// How long unplug has waited for it; `None` where there is no clock.
    pub const fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// Whose request it serves, where a host said so.
    #[cfg(feature = "std")]
    pub fn client(&self) -> Option<crate::Client> {
        crate::wait::client_of(self.thread)
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.work {
            Work::Section(op) => write!(f, "{op}")?,
            Work::StopHook => f.write_str("the stop hook")?,
            Work::WakeHook => f.write_str("the wake hook")?,
            Work::Cancellation => f.write_str("a cancellation")?,
        }
        f.write_str(", thread ")?;
        platform::fmt_thread(self.thread, f)?;
        #[cfg(feature = "std")]
        if let Some(client) = self.client() {
            write!(f, ", client {client}")?;
        }
        match self.waited {
            Some(waited) => write!(f, ", waited for {waited:.1?}"),
            None => Ok(()),
        }
    }
}

impl<'a> Report<'a> {
    pub(super) const fn new(core: &'a Core) -> Self {
        Self { core }
    }

    /// The stragglers, the remover's own hook first.
    pub fn stragglers(&self) -> impl Iterator<Item = Straggler> + use<'a> {
        let cold = self.core.cold().lock();
        let waited = cold.since.map(platform::elapsed);
        let hook = cold.hook.zip(cold.remover).map(|(work, thread)| Straggler { work, thread, waited });
        let unplugging = cold.phase != Phase::Plugged;
        drop(cold);
        let sections = self.core.gate.sections();
        let sections = unplugging.then_some(sections).into_iter().flatten();
        hook.into_iter().chain(sections.map(move |s| Straggler { work: Work::Section(s.op), thread: s.thread, waited }))
    }

    /// How many more sections there are than could be named: only without `std`, where slots are few.
    pub fn unnamed(&self) -> usize {
        if self.core.gate.is_closed() { self.core.gate.unnamed() } else { 0 }
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for straggler in self.stragglers() {
            if !first {
                writeln!(f)?;
            }
            first = false;
            write!(f, "{straggler}")?;
        }
        match self.unnamed() {
            0 if first => f.write_str("nothing in flight"),
            0 => Ok(()),
            more => write!(f, "{}{more} more sections", if first { "" } else { "\n" }),
        }
    }
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stragglers()).finish()
    }
}
