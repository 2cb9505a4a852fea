//! The threads that removals run on.
//!
//! A removal may be what frees the threads of a process that has reached its limit. So its own thread is there before: the
//! bus binds a device only after it has a remover, and keeps one for each of the first few devices.
use crate::lock::{Lock, wait};
use fops_runtime::catch_panic;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar};
use std::thread;

/// How many removers are kept at most. Further removals at the same time need a thread that is started for them.
const KEPT: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
pub(super) struct Removers {
    state: Lock<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    live: usize,
    idle: usize,
    /// The bus is gone.
    closed: bool,
}

impl Removers {
    /// Keeps a remover for each of `devices`, up to [`KEPT`]. Returns whether there is one at least.
    pub(super) fn reserve(self: &Arc<Self>, devices: usize) -> bool {
        let mut state = self.state.lock();
        while state.live < devices.min(KEPT) && self.start(&mut state) {}
        state.live > 0
    }

    /// Runs `job`: at once if a remover is idle or another can be started, otherwise after the removals under way.
    pub(super) fn run(self: &Arc<Self>, job: impl FnOnce() + Send + 'static) {
        let mut state = self.state.lock();
        state.jobs.push_back(Box::new(job));
        if state.jobs.len() > state.idle {
            self.start(&mut state);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// The removers end when they have nothing to do.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    fn start(self: &Arc<Self>, state: &mut State) -> bool {
        let removers = self.clone();
        let started = thread::Builder::new().name("removal".into()).spawn(move || removers.work()).is_ok();
        state.live += usize::from(started);
        state.idle += usize::from(started);
        started
    }

    fn work(&self) {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.idle -= 1;
                drop(state);
                // A job that panics ends as a removal does; the remover is needed again.
                let _ = catch_panic(job);
                state = self.state.lock();
                state.idle += 1;
            } else if state.closed || state.idle > KEPT {
                break;
            } else {
                state = wait(&self.changed, state, None);
            }
        }
        state.idle -= 1;
        state.live -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    #[test]
    fn removals_do_not_wait_for_one_another() {
        let removers = Arc::new(Removers::default());
        assert!(removers.reserve(1));
        let (done, finished) = channel();
        for number in 0..8 {
            let done = done.clone();
            removers.run(move || {
                done.send(number).unwrap();
                panic!("a removal may");
            });
        }
        for _ in 0..8 {
            finished.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        let (release, hangs) = channel::<()>();
        removers.run(move || {
            let _ = hangs.recv();
        });
        removers.run(move || done.send(9).unwrap());
        assert_eq!(finished.recv_timeout(Duration::from_secs(10)), Ok(9));
        drop(release);
        removers.close();
    }
    /// How many there are, and how many of them have nothing to do.
    fn counts(removers: &Removers) -> (usize, usize) {
        let state = removers.state.lock();
        (state.live, state.idle)
    }

    fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(10), "not in time: {what}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_remover_is_kept_for_each_of_the_first_devices() {
        let removers = Arc::new(Removers::default());
        for (devices, kept) in [(1, 1), (2, 2), (2, 2), (KEPT + 5, KEPT)] {
            assert!(removers.reserve(devices));
            assert_eq!(counts(&removers), (kept, kept));
        }
        removers.close();
    }

    #[test]
    fn removers_are_started_when_they_are_needed_and_end_when_they_are_not() {
        let removers = Arc::new(Removers::default());
        assert!(removers.reserve(1));
        let (begun, has_begun) = channel();
        let mut held = Vec::new();
        for number in 1..=2 * KEPT {
            let (release, released) = channel::<()>();
            let begun = begun.clone();
            removers.run(move || {
                begun.send(()).unwrap();
                let _ = released.recv();
            });
            has_begun.recv_timeout(Duration::from_secs(10)).unwrap();
            // The first has the one that was there.
            assert_eq!(counts(&removers), (number, 0));
            held.push(release);
        }
        drop(held);
        eventually("as many are kept as are allowed to", || counts(&removers) == (KEPT, KEPT));
        removers.close();
        // Each holds a reference until it has ended.
        eventually("all end", || counts(&removers) == (0, 0) && Arc::strong_count(&removers) == 1);
    }
}
