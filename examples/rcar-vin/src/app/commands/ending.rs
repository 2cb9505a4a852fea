//! Every signal that would end the program.
use signal_hook::consts::*;
use signal_hook::iterator::Signals;

/// Those of them that are not real-time signals. `SIGKILL` cannot be caught, and after a fault there is nothing to go on with.
const ENDING: [i32; 16] = [
    SIGHUP, SIGINT, SIGQUIT, SIGTRAP, SIGABRT, SIGUSR1, SIGUSR2, SIGALRM, SIGTERM, SIGXCPU, SIGXFSZ, SIGVTALRM,
    SIGPROF, SIGIO, SIGSYS, SIGPWR,
];

/// From here on these signals end nothing by themselves; they come out of the return value.
pub(super) fn signals() -> std::io::Result<Signals> {
    // The C library keeps the first two of 32 for itself.
    Signals::new(ENDING.into_iter().chain(SIGSTKFLT..=SIGSTKFLT).chain(34..=64))
}

const SIGPWR: i32 = 30;
const SIGSTKFLT: i32 = 16;
