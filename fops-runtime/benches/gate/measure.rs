//! Rounds on a machine that others use too.
//!
//! Time is the processor's time of the measuring threads, so what others do on the machine does not count; and of the
//! rounds those are taken in which the threads had a processor to themselves, if there are enough of them.
use crate::contenders::Contender;
use std::cell::Cell;
use std::sync::Barrier;
use std::time::{Duration, Instant};

/// Pairs in one turn of the loop.
const UNROLLED: u64 = 8;

/// One lap: so many pairs on each thread, which takes a few milliseconds.
#[derive(Clone, Copy)]
pub(crate) struct Lap {
    /// Of each pair.
    pub(crate) nanos: f64,
    pub(crate) undisturbed: bool,
}

/// What a lap does inside each pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Nothing,
    /// Four stores to lines that are in no near cache.
    FourStores,
}

/// Runs so many pairs on each of so many threads.
pub(crate) type Run = Box<dyn Fn(usize, u64, Work) -> Lap>;

pub(crate) fn run<C: Contender + 'static>(contender: C) -> Run {
    Box::new(move |threads, pairs, work| {
        let start = Barrier::new(threads);
        std::thread::scope(|scope| {
            let lap = |cpu: usize| {
                let (start, contender) = (&start, &contender);
                scope.spawn(move || {
                    pin(cpu);
                    lap(contender, start, pairs, work)
                })
            };
            let laps: Vec<_> = (0..threads).map(lap).collect();
            let laps: Vec<_> = laps.into_iter().map(|lap| lap.join().expect("a lap does not panic")).collect();
            Lap {
                nanos: laps.iter().map(|lap| lap.nanos).sum::<f64>() / threads as f64,
                undisturbed: laps.iter().all(|lap| lap.undisturbed),
            }
        })
    })
}

fn lap<C: Contender>(contender: &C, start: &Barrier, pairs: u64, work: Work) -> Lap {
    let mut local = contender.local();
    loops(contender, &mut local, UNROLLED * 16, work);
    start.wait();
    let (wall, cpu) = (Instant::now(), cpu_time());
    loops(contender, &mut local, pairs, work);
    let (cpu, wall) = (cpu_time() - cpu, wall.elapsed());
    let undisturbed = wall.as_nanos() < cpu.as_nanos() * 21 / 20;
    Lap { nanos: cpu.as_nanos() as f64 / pairs as f64, undisturbed }
}

#[inline(never)]
fn loops<'a, C: Contender>(contender: &'a C, local: &mut C::Local<'a>, pairs: u64, work: Work) {
    match work {
        Work::Nothing => {
            for _ in 0..pairs / UNROLLED {
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
                contender.pair(local, anything);
            }
        }
        Work::FourStores => BUFFER.with(|buffer| {
            for _ in 0..pairs {
                contender.pair(local, || buffer.four_stores());
            }
        }),
    }
}

/// For the compiler, an operation that may do anything; for the processor, none.
#[inline(always)]
fn anything() {
    // SAFETY: it does nothing.
    unsafe { std::arch::asm!("", options(nostack, preserves_flags)) };
}

struct Buffer {
    lines: Vec<Cell<u64>>,
    random: Cell<u64>,
}

thread_local! {
    static BUFFER: Buffer = Buffer { lines: vec![Cell::new(1); 1 << 20], random: Cell::new(88_172_645_463_325_252) };
}

impl Buffer {
    #[inline(always)]
    fn four_stores(&self) {
        let mut random = self.random.get();
        for _ in 0..4 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            self.lines[random as usize & ((1 << 20) - 1)].set(random);
            anything();
        }
        self.random.set(random);
    }
}

/// How many pairs take about two milliseconds.
pub(crate) fn calibrate(run: &Run, threads: usize, work: Work) -> u64 {
    let mut pairs = 1024;
    loop {
        let lap = run(threads, pairs, work);
        let took = lap.nanos * pairs as f64;
        if took > 2e5 || pairs > 1 << 24 {
            return ((pairs as f64 * 2e6 / took) as u64).next_multiple_of(UNROLLED);
        }
        pairs *= 4;
    }
}

/// The median of the laps, of the undisturbed ones if there are enough.
pub(crate) fn median(laps: &[Lap]) -> f64 {
    let undisturbed: Vec<_> = laps.iter().filter(|lap| lap.undisturbed).map(|lap| lap.nanos).collect();
    if undisturbed.len() >= 5 { middle(undisturbed) } else { middle(laps.iter().map(|lap| lap.nanos).collect()) }
}

pub(crate) fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: it writes to `now` alone.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// Keeps the thread on a processor of its own, if the system lets it.
pub(crate) fn pin(cpu: usize) {
    // SAFETY: a set of processors is plain bits; the call reads it. The set is empty at first.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(cpu, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &set);
    }
}
