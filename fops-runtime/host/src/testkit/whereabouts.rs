//! Where a thread of this process sleeps.
use std::fmt;
use std::fs;

/// What a thread does that does not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// In the system call of this name.
    Asleep(&'static str),
    /// Asleep, nobody can say where.
    AsleepSomewhere,
    Running,
    Unknown,
}

#[cfg(target_arch = "x86_64")]
const CALLS: &[(u32, &str)] = &[
    (0, "read"),
    (1, "write"),
    (7, "poll"),
    (16, "ioctl"),
    (17, "pread64"),
    (19, "readv"),
    (23, "select"),
    (34, "pause"),
    (35, "nanosleep"),
    (42, "connect"),
    (43, "accept"),
    (45, "recvfrom"),
    (47, "recvmsg"),
    (61, "wait4"),
    (128, "rt_sigtimedwait"),
    (202, "futex"),
    (230, "clock_nanosleep"),
    (232, "epoll_wait"),
    (257, "openat"),
    (270, "pselect6"),
    (271, "ppoll"),
    (281, "epoll_pwait"),
    (288, "accept4"),
];
#[cfg(target_arch = "aarch64")]
const CALLS: &[(u32, &str)] = &[
    (22, "epoll_pwait"),
    (29, "ioctl"),
    (63, "read"),
    (64, "write"),
    (65, "readv"),
    (67, "pread64"),
    (72, "pselect6"),
    (73, "ppoll"),
    (98, "futex"),
    (101, "nanosleep"),
    (115, "clock_nanosleep"),
    (202, "accept"),
    (203, "connect"),
    (207, "recvfrom"),
    (212, "recvmsg"),
    (242, "accept4"),
    (260, "wait4"),
];
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const CALLS: &[(u32, &str)] = &[];

/// Looks at thread `tid` of this process.
pub(super) fn of(tid: u32) -> Whereabouts {
    of_task(&format!("/proc/self/task/{tid}"))
}

/// Looks at a thread of any process of this user, by its directory in `/proc`.
pub(super) fn of_task(task: &str) -> Whereabouts {
    // The name of the thread, which stands before the state, may hold anything but ends at the last parenthesis.
    let stat = fs::read_to_string(format!("{task}/stat")).unwrap_or_default();
    match stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next()) {
        Some('S' | 'D') => {}
        Some(_) => return Whereabouts::Running,
        None => return Whereabouts::Unknown,
    }
    let call = fs::read_to_string(format!("{task}/syscall")).unwrap_or_default();
    let number = call.split(' ').next().and_then(|number| number.parse().ok());
    let name = number.and_then(|number: u32| CALLS.iter().find(|(call, _)| *call == number));
    name.map_or(Whereabouts::AsleepSomewhere, |(_, name)| Whereabouts::Asleep(name))
}

/// The number of this thread, where the system says it.
pub(super) fn here() -> Option<u32> {
    let path = fs::read_link("/proc/thread-self").ok()?;
    path.file_name()?.to_str()?.parse().ok()
}

impl fmt::Display for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asleep("futex") => f.write_str("sleeps in futex(2): in a lock, a condition variable or a channel"),
            Self::Asleep(call) => write!(f, "sleeps in {call}(2)"),
            Self::AsleepSomewhere => f.write_str("sleeps"),
            Self::Running => f.write_str("runs"),
            Self::Unknown => f.write_str("does not come back"),
        }
    }
}

impl Whereabouts {
    /// What to write so that unplug can end it.
    pub(super) fn help(self) -> &'static str {
        match self {
            Self::Asleep("futex") => {
                "sleep with `access.wait_event(&queue, ..)`, which unplug wakes; or, if it has to be a condition variable or \
                 a channel, run the wait in `access.with_cancellation(|| <make it return>, || <wait>)`, or wake it in a hook: \
                 `unplug(wake = ..)`"
            }
            Self::Asleep("nanosleep" | "clock_nanosleep") => {
                "replace the sleep by a wait on a `WaitQueue` with `access.wait_event(..)`, which unplug wakes"
            }
            Self::Asleep(_) => {
                "unplug cannot end a system call: wait for the descriptor with `access.wait_fd(..)` before it, or run \
                 it in `access.with_cancellation(|| <make it return>, || <call>)`: shut the socket down, or write to the pipe"
            }
            Self::Running => "ask `access.is_unplugged()` in the loop, and return `ENODEV`",
            Self::AsleepSomewhere | Self::Unknown => {
                "sleep with `access.wait_event(..)`, or in `access.with_cancellation(..)`, or wake it in a hook: `unplug(wake = ..)`"
            }
        }
    }
}

#[cfg(all(test, target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;
    use crate::testkit::patience::Patience;
    use std::sync::mpsc::channel;
    use std::thread;

    #[test]
    fn a_thread_is_found_asleep_in_its_call() {
        assert_eq!(of(here().unwrap()), Whereabouts::Running);
        let (tell, told) = channel();
        let (end, ended) = channel::<()>();
        let sleeper = thread::spawn(move || {
            tell.send(here().unwrap()).unwrap();
            let _ = ended.recv();
        });
        let tid = told.recv().unwrap();
        assert!(Patience::measure().until(|| of(tid) == Whereabouts::Asleep("futex")), "{:?}", of(tid));
        drop(end);
        sleeper.join().unwrap();
    }
}
