//! What a listener is told of sections and of unplug.
#![cfg(feature = "tracing")]
mod common;

use common::{DEADLINE, Device};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Unplug, guarded_fops};
use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Notes what it is told, a line each.
struct Listener {
    level: Level,
    lines: Arc<Mutex<Vec<String>>>,
    next: AtomicU64,
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if !["device", "type", "thread", "told", "stopped", "drained"].contains(&field.name()) {
            write!(self.0, " {}={value:?}", field.name()).unwrap();
        }
    }
}

impl Listener {
    fn note(&self, line: String) {
        self.lines.lock().unwrap().push(line);
    }
}

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("fops_runtime") && *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<tracing::level_filters::LevelFilter> {
        Some(self.level.into())
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.next.fetch_add(1, SeqCst);
        let mut line = Line(format!("new {} {id}", span.metadata().name()));
        span.record(&mut line);
        self.note(line.0);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line(event.metadata().level().to_string());
        event.record(&mut line);
        self.note(line.0);
    }

    fn enter(&self, id: &Id) {
        self.note(format!("enter {}", id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        self.note(format!("exit {}", id.into_u64()));
    }

    fn try_close(&self, id: Id) -> bool {
        self.note(format!("close {}", id.into_u64()));
        true
    }
}

/// The level and the log are the process's.
fn one_at_a_time() -> std::sync::MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// What a listener of this level is told while `f` runs.
fn listen(level: Level, f: impl FnOnce()) -> Vec<String> {
    let _one = one_at_a_time();
    let lines = Arc::<Mutex<Vec<String>>>::default();
    let listener = Listener { level, lines: lines.clone(), next: AtomicU64::new(1) };
    tracing::subscriber::with_default(listener, f);
    // The steps of an unplug are told later.
    assert!(fops_runtime::flush_log(DEADLINE));
    std::mem::take(&mut *lines.lock().unwrap())
}

#[test]
fn a_section_is_a_span() {
    let lines = listen(Level::TRACE, || {
        let (outer, inner) = (DeviceLifetime::new(()), DeviceLifetime::new(()));
        let _outer = outer.enter(op!("ioctl")).unwrap();
        drop(inner.enter(op!("notify")).unwrap());
    });
    let expected = [
        "new section 1 op=\"ioctl\" owned=false",
        "enter 1",
        "new section 2 op=\"notify\" owned=false",
        "enter 2",
        "exit 2",
        "close 2",
        "exit 1",
        "close 1",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn one_that_may_end_elsewhere_is_not_entered() {
    let lines = listen(Level::TRACE, || {
        let lifetime = Arc::new(DeviceLifetime::new(()));
        let access = lifetime.enter_owned(op!("transfer")).unwrap();
        std::thread::spawn(move || drop(access)).join().unwrap();
    });
    assert_eq!(lines, ["new section 1 op=\"transfer\" owned=true", "close 1"]);
}

#[test]
fn a_span_ends_though_the_level_has_changed() {
    let lifetime = DeviceLifetime::new(());
    let mut access = None;
    let begin = listen(Level::TRACE, || access = Some(lifetime.enter(op!("ioctl")).unwrap()));
    assert_eq!(begin.len(), 2, "{begin:?}");
    // The span knows its listener, which is not the current one any more.
    assert_eq!(listen(Level::INFO, || drop(access)), [] as [&str; 0]);
    assert_eq!(listen(Level::TRACE, || drop(lifetime.enter(op!("ioctl")).unwrap())).len(), 4);
}

#[test]
fn unplug_tells_of_each_step() {
    let steps = |level| {
        listen(level, || {
            let device = Device::new();
            drop(device.begin_unplug(Cause::Removal).unwrap());
            drop(device.unplug(Cause::SurpriseRemoval).unwrap());
        })
    };
    let expected = [
        "INFO message=unplug has begun: new sections are refused cause=removal",
        "DEBUG message=sleepers are woken",
        "DEBUG message=the stop hook has run",
        "DEBUG message=the wake hook has run",
        "DEBUG message=the remover has given up; the device stays closed",
        "DEBUG message=sleepers are woken",
        "DEBUG message=the wake hook has run",
        "INFO message=unplugged: no section is left, the resources are handed back cause=surprise removal in_flight=0 woken=0 cancelled=0 refused=0",
    ];
    assert_eq!(steps(Level::DEBUG), expected);
    assert_eq!(steps(Level::INFO), [expected[0], expected[7]]);
}

struct Failing(DeviceLifetime<u8>);

#[guarded_fops(lifetime = 0, unplug(stop = quiesce, wake = kick), resources = u8, default = guarded)]
impl Failing {}

impl Failing {
    fn quiesce(&self, _: &u8, cause: Cause) -> Result<(), Cause> {
        Err(cause)
    }

    fn kick(&self, _: &u8) -> Result<(), &'static str> {
        if self.0.cause() == Some(Cause::Removal) { Ok(()) } else { Err("nobody to wake") }
    }
}

#[test]
fn a_hook_that_fails_is_told_of_with_its_error() {
    let unplug = |cause| listen(Level::ERROR, || assert_eq!(Failing(DeviceLifetime::new(5)).unplug(cause), Ok(5)));
    let failed = |hook, error| format!("ERROR message=the {hook} hook of `tracing::Failing` failed: {error}");
    assert_eq!(unplug(Cause::Removal), [failed("stop", "Removal")]);
    assert_eq!(unplug(Cause::Unbind), [failed("stop", "Unbind"), failed("wake", "\"nobody to wake\"")]);
}

/// Hangs at each event until the sender is dropped, and panics then.
struct Broken(Mutex<std::sync::mpsc::Receiver<()>>);

impl Subscriber for Broken {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn event(&self, _: &Event<'_>) {
        let _ = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).recv();
        panic!("a listener may");
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn an_unplug_does_not_mind_a_listener_that_hangs_and_panics() {
    let _one = one_at_a_time();
    let (release, hangs) = std::sync::mpsc::channel();
    tracing::subscriber::with_default(Broken(Mutex::new(hangs)), || {
        drop(Device::new().unplug(Cause::Removal).unwrap());
        // Nothing of it was written.
        assert!(!fops_runtime::flush_log(std::time::Duration::from_millis(1)));
    });
    drop(release);
    assert!(fops_runtime::flush_log(DEADLINE));
}
