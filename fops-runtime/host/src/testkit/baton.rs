//! One thread goes at a time, from one point of its sections to the next: in an order that a seed decides.
use crate::lock::{Lock, wait};
use crate::testkit::seed::Seed;
use crate::testkit::trace::Guide;
use crate::testkit::whereabouts::{self, Whereabouts};
use fops_runtime::points::Point;
use std::fmt::Write as _;
use std::sync::{Arc, Condvar, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// Lets threads go one by one.
pub(super) struct Baton {
    state: Lock<State>,
    changed: Condvar,
}

pub(super) struct State {
    seats: Vec<Seat>,
    /// Whose turn it is.
    turn: Option<usize>,
    /// Everybody goes.
    is_free: bool,
    order: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    /// Not there yet.
    Expected,
    /// At a point: it waits for its turn.
    Waits,
    Runs,
    /// In `wait_event`.
    Sleeps,
    Ended,
}

struct Seat {
    place: Place,
    tid: Option<u32>,
    point: String,
}

/// One thread's place in the order.
pub(super) struct Turns {
    baton: Arc<Baton>,
    seat: usize,
}

impl State {
    /// The threads that have not come to a point yet.
    fn running(&self) -> Vec<Option<u32>> {
        let runs = |seat: &&Seat| matches!(seat.place, Place::Expected | Place::Runs);
        self.seats.iter().filter(runs).map(|seat| seat.tid).collect()
    }
}

/// A thread that runs for so long may be asleep in a lock. Then others go on.
const BLOCKED: Duration = Duration::from_millis(1);

/// Whether it may stay there until another thread has gone on. A pause of its own ends by itself.
fn is_blocked(place: Whereabouts) -> bool {
    match place {
        Whereabouts::Asleep(call) => !call.ends_with("nanosleep"),
        Whereabouts::AsleepSomewhere => true,
        Whereabouts::Running | Whereabouts::Unknown => false,
    }
}

impl Baton {
    pub(super) fn new(seats: usize) -> Arc<Self> {
        let seats = (0..seats).map(|_| Seat { place: Place::Expected, tid: None, point: String::new() }).collect();
        let state = State { seats, turn: None, is_free: false, order: String::new() };
        Arc::new(Self { state: Lock::new(state), changed: Condvar::new() })
    }

    pub(super) fn turns(self: &Arc<Self>, seat: usize) -> Turns {
        Turns { baton: self.clone(), seat }
    }

    /// Waits until each thread waits for its turn, sleeps, or has ended.
    pub(super) fn quiet(&self) -> MutexGuard<'_, State> {
        let began = Instant::now();
        let mut state = self.state.lock();
        loop {
            let running = state.running();
            let is_late = began.elapsed() > BLOCKED * 2000;
            if running.is_empty() && state.turn.is_none() || is_late {
                return state;
            }
            state = wait(&self.changed, state, Some(BLOCKED));
            if began.elapsed() > BLOCKED && state.running() == running && state.turn.is_none() {
                // Not under the lock: that is no lock to be found asleep in.
                drop(state);
                let are_blocked = || running.iter().all(|tid| tid.map(whereabouts::of).is_some_and(is_blocked));
                let stay = are_blocked() && {
                    thread::sleep(BLOCKED);
                    are_blocked()
                };
                state = self.state.lock();
                if stay && state.running() == running {
                    return state;
                }
            }
        }
    }

    /// Lets one thread go to its next point. `false` where none waits.
    pub(super) fn step(&self, seed: &mut Seed) -> bool {
        let mut state = self.quiet();
        let waiting: Vec<_> = (0..state.seats.len()).filter(|&seat| state.seats[seat].place == Place::Waits).collect();
        if waiting.is_empty() {
            return false;
        }
        let seat = waiting[seed.below(waiting.len())];
        let point = state.seats[seat].point.clone();
        let _ = write!(state.order, " {seat}:{point}");
        state.turn = Some(seat);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// Waits for a moment, until nobody sleeps in `wait_event`.
    pub(super) fn all_wake(&self, limit: Duration) {
        let began = Instant::now();
        let mut state = self.state.lock();
        while state.seats.iter().any(|seat| seat.place == Place::Sleeps) && began.elapsed() < limit {
            state = wait(&self.changed, state, Some(limit / 8));
        }
    }

    /// Something else has happened in between.
    pub(super) fn note(&self, what: &str) {
        let _ = write!(self.state.lock().order, " {what}");
    }

    /// From here on nobody waits for a turn.
    pub(super) fn free(&self) {
        self.state.lock().is_free = true;
        self.changed.notify_all();
    }

    pub(super) fn have_all_ended(&self) -> bool {
        let state = self.state.lock();
        state.is_free || state.seats.iter().all(|seat| seat.place == Place::Ended)
    }

    /// Who went when, as `0:read+` for "the first thread opened its section of read".
    pub(super) fn order(&self) -> String {
        self.state.lock().order.trim_start().into()
    }
}

impl Guide for Turns {
    fn at(&self, point: Point) {
        let name = match point {
            Point::Entering(op) => op.name().to_owned(),
            Point::Entered(op) => format!("{}+", op.name()),
            Point::Leaving => "-".to_owned(),
            Point::Woken => "woken".to_owned(),
            Point::Sleeping => {
                self.baton.state.lock().seats[self.seat].place = Place::Sleeps;
                self.baton.changed.notify_all();
                return;
            }
            _ => return,
        };
        self.waits(name);
    }

    /// An act without sections comes to no other point.
    fn again(&self) {
        self.waits("again".into());
    }

    fn begins(&self) {
        self.baton.state.lock().seats[self.seat].tid = whereabouts::here();
        self.waits("begins".into());
    }

    fn ended(&self) {
        self.baton.state.lock().seats[self.seat].place = Place::Ended;
        self.baton.changed.notify_all();
    }
}

impl Turns {
    /// Waits for its turn.
    fn waits(&self, point: String) {
        let mut state = self.baton.state.lock();
        let seat = &mut state.seats[self.seat];
        (seat.place, seat.point) = (Place::Waits, point);
        self.baton.changed.notify_all();
        while state.turn != Some(self.seat) && !state.is_free {
            state = wait(&self.baton.changed, state, None);
        }
        state.turn = None;
        state.seats[self.seat].place = Place::Runs;
    }
}
