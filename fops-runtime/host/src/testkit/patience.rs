//! How long the kit waits before it says that something hangs.
use fops_runtime::Stay;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for what has to come.
///
/// The limit counts the time that the kit asked to sleep, not the time that passed: if the machine stands still, so does the
/// limit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    limit: Duration,
}

/// The longest pause between two looks.
const PAUSE: Duration = Duration::from_millis(5);

impl Patience {
    /// Measures how long this machine takes to hand work from thread to thread, and allows for a thousand times that.
    pub(super) fn measure() -> Self {
        let (ask, asked) = mpsc::channel::<()>();
        let (answer, answered) = mpsc::channel();
        let echo = thread::spawn(move || while asked.recv().is_ok() && answer.send(()).is_ok() {});
        let mut worst = Duration::ZERO;
        for _ in 0..32 {
            let began = Instant::now();
            if ask.send(()).is_err() || answered.recv().is_err() {
                break;
            }
            worst = worst.max(began.elapsed());
        }
        drop(ask);
        let _ = echo.join();
        Self { limit: Duration::from_secs(3) + (worst * 1000).min(Duration::from_secs(27)) }
    }

    pub(super) const fn limit(self) -> Duration {
        self.limit
    }

    /// How long an operation may take that is declared brief: longer where threads wait for a processor.
    pub(super) fn brief(self) -> Duration {
        Stay::BRIEF.max(self.limit / 30)
    }

    /// Waits until `condition` holds. Whether it did.
    pub(super) fn until(self, mut condition: impl FnMut() -> bool) -> bool {
        self.sleeping_until(|pause| {
            let holds = condition();
            if !holds {
                thread::sleep(pause);
            }
            holds
        })
    }

    /// As [`until`](Self::until), with a condition that itself sleeps for at most the time it is given.
    pub(super) fn sleeping_until(self, mut condition: impl FnMut(Duration) -> bool) -> bool {
        let (mut pause, mut waited) = (Duration::from_micros(20), Duration::ZERO);
        while waited < self.limit {
            if condition(pause) {
                return true;
            }
            waited += pause;
            pause = (pause * 2).min(PAUSE);
        }
        condition(Duration::ZERO)
    }
}
