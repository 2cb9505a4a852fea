//! Where the records of devices are kept, and how they are read.
use super::device_lifetime::DeviceLifetime;
use super::parts::Parts;
use super::record::Record;
use super::state::{Cold, Core, Phase};
use crate::platform;
use core::fmt;
use core::time::Duration;

/// The records of devices that are unplugged together: displays one a line.
#[derive(Clone, Copy)]
pub struct Records<P>(P);

impl<P: Parts> Records<P> {
    pub(super) const fn of(parts: P) -> Self {
        Self(parts)
    }

    /// The records, device by device. One whose unplug has not begun has none.
    pub fn iter(&self) -> impl Iterator<Item = Record> + use<'_, P> {
        self.0.members().filter_map(|member| member.core().record())
    }
}

impl<P: Parts> fmt::Display for Records<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, record) in self.iter().enumerate() {
            write!(f, "{}{record}", if at == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl<P: Parts> fmt::Debug for Records<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<R> DeviceLifetime<R> {
    /// What its unplug has done so far; `None` before one has begun.
    pub fn record(&self) -> Option<Record> {
        self.core.record()
    }
}

impl Core {
    fn record(&self) -> Option<Record> {
        let refused = self.refused();
        let cold = self.cold().lock();
        let cause = cold.cause.filter(|_| cold.phase != Phase::Plugged)?;
        Some(Record { cause, refused, ..cold.record? })
    }

    /// Writes into the record. Nothing is written after the hand-back.
    pub(super) fn note(&self, write: impl FnOnce(&mut Record, Option<Duration>)) {
        self.cold().lock().note(write);
    }
}

impl Cold {
    /// As [`Core::note`]. `write` is also given the time since the flag.
    pub(super) fn note(&mut self, write: impl FnOnce(&mut Record, Option<Duration>)) {
        let since = self.since.map(platform::elapsed);
        if let Some(record) = &mut self.record {
            write(record, since);
        }
    }
}
