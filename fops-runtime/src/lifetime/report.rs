//! Who keeps an unplug waiting.
use super::device_lifetime::DeviceLifetime;
use super::notes::Note;
use super::parts::{Part, Parts};
use super::state::Core;
use super::work::Work;
use crate::gate::Section;
use crate::op::{Op, Stay};
use crate::platform;
use core::fmt;
use core::time::Duration;

/// What an unplug waits for at this moment, or would wait for if it began now.
///
/// Displays one straggler a line. No section is copied: the iterator walks the gates of the devices. Without `std`, it
/// names up to four hooks and waiting unplugs of a device.
#[derive(Clone, Copy)]
pub struct Report<P>(P);

/// One thing that an unplug waits for.
///
/// Displays as `RcarVin::ioctl (src/core.rs:120), thread 77 "worker", client 42 (v4l2-ctl), waited for 1.2s`. An owned section
/// has `owned, opened by thread 77 "worker"`, and no client. One that [is overdue](Self::is_overdue) has `declared brief`. Where the unplug waits for another one, the thread is the one
/// that has the remover's role.
#[derive(Debug, Clone, Copy)]
pub struct Straggler {
    work: Work,
    thread: u64,
    is_owned: bool,
    waited: Option<Duration>,
}

impl Straggler {
    pub(super) const fn section(section: Section, waited: Option<Duration>) -> Self {
        let Section { op, thread, owned, .. } = section;
        Self { work: Work::Section(op), thread, is_owned: owned, waited }
    }

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

    /// How long unplug has waited for it; `None` before it has begun, and where there is no clock.
    pub const fn waited(&self) -> Option<Duration> {
        self.waited
    }

    /// Whether it was declared [`brief`](crate::Stay::Brief), and has kept unplug waiting for longer than that.
    pub fn is_overdue(&self) -> bool {
        let is_brief = self.op().is_some_and(|op| op.stay() == Stay::Brief);
        is_brief && self.waited > Some(Stay::BRIEF)
    }

    /// Whether it is the section of an [`OwnedAccess`](crate::OwnedAccess) or a future. The thread is the one that opened
    /// it, and does something else by now.
    pub const fn is_owned(&self) -> bool {
        self.is_owned
    }

    /// Whose request it serves, where a host said so. Of an owned section, nobody knows.
    #[cfg(feature = "std")]
    pub fn client(&self) -> Option<crate::wait::Client> {
        if self.is_owned { None } else { crate::wait::client_of(self.thread) }
    }
}

impl fmt::Display for Straggler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.work)?;
        if let (Work::Role(_), 0) = (self.work, self.thread) {
            f.write_str(", a task")?;
        } else if !matches!(self.work, Work::Escape(_)) {
            f.write_str(if self.is_owned { ", owned, opened by thread " } else { ", thread " })?;
            platform::fmt_thread(self.thread, f)?;
        }
        #[cfg(feature = "std")]
        if let Some(client) = self.client() {
            write!(f, ", client {client}")?;
        }
        if self.is_overdue() {
            f.write_str(", declared brief")?;
        }
        match self.waited {
            Some(waited) => write!(f, ", waited for {waited:.1?}"),
            None => Ok(()),
        }
    }
}

impl<R> DeviceLifetime<R> {
    /// What an unplug of this device waits for now, or would wait for: the sections in flight.
    pub fn report(&self) -> Report<Part<'_, R>> {
        Report(Part::alone(self))
    }
}

impl<P: Parts> Report<P> {
    pub(super) const fn of(parts: P) -> Self {
        Self(parts)
    }

    /// The stragglers, device by device: hooks that run, a role that is waited for, then the sections.
    pub fn stragglers(&self) -> impl Iterator<Item = Straggler> + use<'_, P> {
        self.0.members().flat_map(|member| member.core().stragglers())
    }

    /// How many more sections there are than could be named: only without `std`, where slots are few.
    pub fn unnamed(&self) -> usize {
        self.0
            .members()
            .filter(|member| member.core().gate.is_closed())
            .map(|member| member.core().gate.unnamed())
            .sum()
    }
}

impl Core {
    fn stragglers(&self) -> impl Iterator<Item = Straggler> + use<> {
        let cold = self.cold().lock();
        let waited = cold.since.map(platform::elapsed);
        let notes = cold.notes.all();
        drop(cold);
        let notes = notes.map(move |Note { work, thread, .. }| Straggler { work, thread, is_owned: false, waited });
        let sections = self.gate.sections().map(move |section| Straggler::section(section, waited));
        notes.chain(sections)
    }
}

impl<P: Parts> fmt::Display for Report<P> {
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

impl<P: Parts> fmt::Debug for Report<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.stragglers()).finish()
    }
}
