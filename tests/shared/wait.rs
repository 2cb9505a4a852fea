//! Waiting for conditions, with a deadline that fails loudly.
pub use super::deadline::{DEADLINE, eventually};

use fops_host::Removal;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Waits until the removal is done, and returns how long it took.
#[track_caller]
pub fn torn_down(removal: &Removal) -> Duration {
    match removal.wait_for(DEADLINE) {
        Ok(Some(took)) => took,
        Ok(None) => panic!("the removal of {} hangs, waiting for\n{}", removal.device(), removal.stragglers()),
        Err(errno) => panic!("the removal of {} failed: {errno}", removal.device()),
    }
}

/// Waits until the process has ended.
#[track_caller]
pub fn wait_for_exit(what: &str, child: &mut Child) -> ExitStatus {
    let mut status = None;
    eventually(&format!("{what} ends"), || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

/// Whether a process sleeps and stays asleep, as far as one can see from outside.
pub fn is_asleep(pid: u32) -> bool {
    sleeps(Path::new(&format!("/proc/{pid}/status")))
}

/// Waits until the process sleeps.
#[track_caller]
pub fn falls_asleep(what: &str, pid: u32) {
    let began = Instant::now();
    while !is_asleep(pid) {
        let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_else(|error| error.to_string());
        assert!(began.elapsed() < DEADLINE, "{what} does not sleep within {DEADLINE:?}:\n{}", status());
    }
}

pub(crate) fn sleeps(status: &Path) -> bool {
    let look = || {
        let status = fs::read_to_string(status).unwrap_or_default();
        let field =
            |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim).map(str::to_owned);
        let asleep = field("State:").is_some_and(|state| state.starts_with(['S', 'D']));
        asleep.then(|| field("voluntary_ctxt_switches:"))
    };
    let before = look();
    // Long enough for a round trip to whoever serves it: it has not run in between.
    thread::sleep(Duration::from_millis(20));
    before.is_some() && before == look()
}

/// A thread that is to fall asleep in what it does.
pub struct Sleeper<T> {
    what: &'static str,
    status: PathBuf,
    thread: JoinHandle<T>,
}

impl<T: Send + 'static> Sleeper<T> {
    /// Starts it, and waits until it sleeps in `f`.
    #[track_caller]
    pub fn start(what: &'static str, f: impl FnOnce() -> T + Send + 'static) -> Self {
        let sleeper = Self::awake(what, f);
        eventually(&format!("{what} falls asleep"), || sleeper.thread.is_finished() || sleeps(&sleeper.status));
        assert!(!sleeper.thread.is_finished(), "{what} returns where it should sleep");
        sleeper
    }

    /// Starts it.
    pub fn awake(what: &'static str, f: impl FnOnce() -> T + Send + 'static) -> Self {
        let (send, receive) = mpsc::channel();
        let thread = thread::Builder::new().name(what.into()).spawn(move || {
            send.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
            f()
        });
        let task = receive.recv().unwrap();
        Self { what, status: Path::new("/proc").join(task).join("status"), thread: thread.unwrap() }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn join(self) -> T {
        eventually(&format!("{} returns", self.what), || self.thread.is_finished());
        self.thread.join().unwrap_or_else(|_| panic!("{} panicked", self.what))
    }
}

/// A duration as `{:?}` writes it: `40.60µs`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let seconds = match unit {
        "s" => 1.0,
        "ms" => 1e-3,
        "µs" => 1e-6,
        "ns" => 1e-9,
        _ => return None,
    };
    Some(Duration::from_secs_f64(number.parse::<f64>().ok()? * seconds))
}
