//! What has to be looked at from time to time: callers that may have been killed, and polls that found no thread. At the
//! end, readers that sleep.
use super::channel::Kernel;
use super::in_flight::InFlight;
use crate::lock::{Lock, wait};
use fops_runtime::Errno;
use rustix::fd::OwnedFd;
use std::io::ErrorKind;
use std::sync::{Condvar, Weak};
use std::time::{Duration, Instant};

/// How often.
const PERIOD: Duration = Duration::from_millis(20);
/// How long a caller waits on that got a signal, if it cannot be told whether that kills it.
const GRACE: Duration = Duration::from_millis(500);

/// Runs on a thread of its own, which serves no request and enters no driver.
#[derive(Default)]
pub(super) struct Keeper {
    state: Lock<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    callers: Vec<Caller>,
    /// The kernel's handles of files on which a poll was refused.
    polls: Vec<u64>,
    stopped: bool,
    /// The root of what is served, while it ends.
    root: Option<OwnedFd>,
}

/// The caller of a parked request, for which a signal has come.
struct Caller {
    unique: u64,
    /// Its thread, if this process can see it.
    thread: Option<u32>,
    since: Instant,
}

impl Keeper {
    /// A signal has come for the caller of a parked request. FUSE says so once, whatever comes later, and does not say which
    /// signal. Linux goes on waiting unless the signal is fatal.
    pub(super) fn interrupted(&self, unique: u64, thread: Option<u32>) {
        let mut state = self.state.lock();
        if state.callers.iter().all(|caller| caller.unique != unique) {
            state.callers.push(Caller { unique, thread, since: Instant::now() });
        }
        self.changed.notify_all();
    }

    /// A poll on the file with this handle was refused: its caller is to ask again.
    pub(super) fn refused_poll(&self, kh: u64) {
        let mut state = self.state.lock();
        if !state.polls.contains(&kh) {
            state.polls.push(kh);
        }
        self.changed.notify_all();
    }

    /// Has it end. With the root of what is served, it asks the readers that sleep for something first, and so wakes them.
    pub(super) fn stop(&self, root: Option<OwnedFd>) {
        let mut state = self.state.lock();
        state.stopped = true;
        state.root = root;
        self.changed.notify_all();
    }

    /// Until it is stopped, and no reader is left that it can wake.
    pub(super) fn run(&self, kernel: &Weak<dyn Kernel>, in_flight: &InFlight, readers: impl Fn() -> usize) {
        let mut state = self.state.lock();
        while !state.stopped {
            state.callers.retain(|caller| {
                if in_flight.is_here(caller.unique) && caller.is_killed() {
                    in_flight.fail(caller.unique, Errno::EINTR, kernel);
                }
                in_flight.is_here(caller.unique)
            });
            let polls = std::mem::take(&mut state.polls);
            let busy = !(state.callers.is_empty() && polls.is_empty());
            state = wait(&self.changed, state, busy.then_some(PERIOD));
            // A period later: there may be a thread by now.
            if let Some(kernel) = kernel.upgrade() {
                polls.into_iter().for_each(|kh| kernel.notify_poll(kh));
            }
        }
        let root = state.root.take();
        drop(state);
        while let Some(root) = &root
            && readers() > 0
        {
            // If no reader was asleep, nobody answers; then the end of the channel does.
            if rustix::fs::fstatfs(root).is_err() {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Caller {
    fn is_killed(&self) -> bool {
        let unknown = || self.since.elapsed() > GRACE;
        let Some(thread) = self.thread else { return unknown() };
        match std::fs::read_to_string(format!("/proc/{thread}/status")) {
            Ok(status) => is_dying(&status),
            Err(error) if error.kind() == ErrorKind::NotFound => true,
            // ESRCH: it went while it was read.
            Err(error) if error.raw_os_error() == Some(3) => true,
            Err(_) => unknown(),
        }
    }
}

/// Whether a thread with this `/proc/<thread>/status` has been killed. A signal that ends the process makes the kernel send
/// `SIGKILL` to each of its threads.
fn is_dying(status: &str) -> bool {
    const SIGKILL: u64 = 1 << 8;
    let field = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let pending = |name| field(name).and_then(|set| u64::from_str_radix(set, 16).ok()).unwrap_or(0);
    let state = field("State:").unwrap_or_default();
    (pending("SigPnd:") | pending("ShdPnd:")) & SIGKILL != 0 || state.starts_with(['Z', 'X'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_fatal_signal_kills() {
        let status =
            |state, own, shared| format!("Name:\ta\nState:\t{state}\nSigPnd:\t{own:016x}\nShdPnd:\t{shared:016x}\n");
        assert!(!is_dying(&status("S (sleeping)", 1 << 9, 1 << 16)));
        assert!(is_dying(&status("S (sleeping)", 1 << 8, 0)) && is_dying(&status("D (disk sleep)", 0, 1 << 8)));
        assert!(is_dying(&status("Z (zombie)", 0, 0)));
        assert!(!is_dying("") && !is_dying("SigPnd:\nState:"));
    }
}
