//! The `tracing` feature: a span for each section, an event for each step of an unplug.
//!
//! Without the feature, nothing here costs anything. With it, a section reads one static when it opens and another when
//! it ends, even if nobody listens at the level `trace`.
//!
//! A span begins and ends where its section does, so a listener at the level `trace` is called inside the operation. The
//! events of an unplug are written later, by the thread that writes the log.
use super::cause::Cause;
use super::record::Record;
#[cfg(feature = "tracing")]
pub(super) use sections::{closing, opened};

/// A step of an unplug.
#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "tracing"), expect(dead_code, reason = "nobody is told"))]
pub(super) enum Step {
    /// New sections are refused.
    Closed(Option<Cause>),
    /// Every sleeper has been woken.
    Cancelled,
    /// The stop hook has been called.
    Stopped,
    /// The wake hook has been called.
    Woken,
    /// No section is left.
    Drained(Record),
    /// The remover has given up; the device stays closed.
    GivenUp,
}

#[cfg(not(feature = "tracing"))]
#[inline(always)]
pub(super) fn step(_device: u64, _step: Step) {}

/// Tells listeners of the step, from the thread that writes the log: a listener that waits or panics does not stop an
/// unplug.
#[cfg(feature = "tracing")]
pub(super) fn step(device: u64, step: Step) {
    use tracing::{debug, field, info};
    if !tracing::level_enabled!(tracing::Level::INFO) {
        return;
    }
    crate::platform::trace_later(move || match step {
        Step::Closed(cause) => {
            info!(device, cause = cause.map(field::display), "unplug has begun: new sections are refused");
        }
        Step::Cancelled => debug!(device, "sleepers are woken"),
        Step::Stopped => debug!(device, "the stop hook has run"),
        Step::Woken => debug!(device, "the wake hook has run"),
        Step::Drained(record) => {
            let Record { thread, in_flight, woken, cancelled, refused, told, stopped, drained, last_out, .. } = record;
            let ((told, stopped), drained) =
                ((told.map(field::debug), stopped.map(field::debug)), drained.map(field::debug));
            let (cause, last_out) = (field::display(record.cause), last_out.map(field::display));
            info!(
                device,
                cause,
                thread,
                in_flight,
                woken,
                cancelled,
                refused,
                told,
                stopped,
                drained,
                last_out,
                "unplugged: no section is left, the resources are handed back"
            );
        }
        Step::GivenUp => debug!(device, "the remover has given up; the device stays closed"),
    });
}

#[cfg(feature = "tracing")]
mod sections {
    use crate::gate::Slot;
    use crate::op::Op;
    use crate::platform::{self, AtFork};
    use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
    use std::boxed::Box;
    use std::collections::BTreeMap;
    use std::sync::{Mutex, MutexGuard, PoisonError};
    use tracing::{Level, Span};

    /// The spans of the sections in flight, by slot. An access has no room for its span.
    static SPANS: Mutex<BTreeMap<usize, Open>> = Mutex::new(BTreeMap::new());
    /// Whether there ever was a span. The thread that ends a section with a span sees this, because the section was
    /// opened after the store.
    static ANY: AtomicBool = AtomicBool::new(false);

    static AT_FORK: AtFork = AtFork::new(|| Box::new(lock()), || ());

    struct Open {
        span: Span,
        /// Whether the thread has entered the span. It does not if the section may end on another thread.
        entered: bool,
    }

    /// A section of `op` stands in the slot.
    #[inline(always)]
    pub(in crate::lifetime) fn opened(slot: &Slot, device: u64, op: &'static Op, owned: bool) {
        if tracing::level_enabled!(Level::TRACE) {
            // Without a key it has no name, and so no span.
            slot.key().into_iter().for_each(|key| open(key, device, op, owned));
        }
    }

    /// The section in the slot is about to end.
    #[inline(always)]
    pub(in crate::lifetime) fn closing(slot: &Slot) {
        if ANY.load(Relaxed) {
            slot.key().into_iter().for_each(close);
        }
    }

    #[cold]
    #[inline(never)]
    fn open(slot: usize, device: u64, op: &'static Op, owned: bool) {
        AT_FORK.register();
        // A listener that panics must not leave the section open.
        let _ = platform::catch(|| {
            let (of, name) = (op.type_name(), op.name());
            let span = tracing::trace_span!("section", op = name, "type" = of, device, owned);
            if span.is_disabled() {
                return;
            }
            if !owned {
                span.with_subscriber(|(id, subscriber)| subscriber.enter(id));
            }
            ANY.store(true, Relaxed);
            lock().insert(slot, Open { span, entered: !owned });
        });
    }

    #[cold]
    #[inline(never)]
    fn close(slot: usize) {
        let open = lock().remove(&slot);
        let Some(Open { span, entered }) = open else { return };
        let _ = platform::catch(|| {
            if entered {
                span.with_subscriber(|(id, subscriber)| subscriber.exit(id));
            }
            drop(span);
        });
    }

    fn lock() -> MutexGuard<'static, BTreeMap<usize, Open>> {
        // Nothing panics under it.
        SPANS.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
