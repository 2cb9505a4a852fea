//! Sleeping on a word: a futex.
use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;

/// Sleeps while `word` is `expected`, for at most `timeout`. May return early.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) {
    let limit = timeout.map(|timeout| libc::timespec {
        // Longer than anybody lives is for ever.
        tv_sec: timeout.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    let operation = libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the word and the limit live while the call lasts. Every error (the word has changed, a signal, the
    // time is over) is a reason to look again, which the caller does.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, expected, limit) };
}

/// So many threads sleep now. Once they are many, this asks the kernel for more places to look for them.
///
/// Each wake-up searches one of the process's hash buckets. Since Linux 6.16 a process with two CPUs has 16 of them,
/// however many of its threads sleep. Earlier kernels refuse this, and share more buckets among all processes. It changes
/// nothing but the time that a wake-up takes.
pub(crate) fn expect_sleepers(count: usize) {
    /// The kernel's own choice is good enough for so many.
    const FEW: usize = 128;
    static EXPECTED: AtomicUsize = AtomicUsize::new(FEW);
    // Relaxed: nothing else depends on it. Two threads may both ask.
    if count <= EXPECTED.load(Relaxed) {
        return;
    }
    // From linux/prctl.h.
    const PR_FUTEX_HASH: libc::c_int = 78;
    const SET_SLOTS: libc::c_ulong = 1;
    const GET_SLOTS: libc::c_ulong = 2;
    // Seldom, and on average less than one sleeper in each.
    let slots = (4 * count).next_power_of_two();
    EXPECTED.fetch_max(slots, Relaxed);
    // SAFETY: it touches no memory of ours. 0 means the buckets that all processes share: the program has chosen them.
    unsafe {
        let current = libc::prctl(PR_FUTEX_HASH, GET_SLOTS, 0_usize, 0_usize, 0_usize);
        if usize::try_from(current).is_ok_and(|current| current != 0 && current < slots) {
            libc::prctl(PR_FUTEX_HASH, SET_SLOTS, slots, 0_usize, 0_usize);
        }
    }
}

/// Wakes all who sleep on the word.
pub(crate) fn wake_all(word: &AtomicU32) {
    let operation = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // SAFETY: the kernel looks at the address alone, and reads nothing there.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, libc::c_int::MAX) };
}
