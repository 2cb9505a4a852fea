//! What becomes of the heavy fence: chosen at the start, or refused by a filter that came late.
#![cfg(all(feature = "std", target_os = "linux", not(loom)))]
mod common;

use common::{Registers, counter, eventually, skip, watchdog};
use fops_runtime::op::op;
use fops_runtime::{
    Cause, DeviceLifetime, FenceKind, Part, Parts, Unplug, UnplugError, Unpluggable, WaitError, WaitQueue, fence_kind,
};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;

/// Set in the child, where the test does what it is about.
const CHILD: &str = "FOPS_FENCE_CHILD";

/// Runs one test of this program again, in a process of its own.
fn again(test: &str) {
    let program = std::env::current_exe().expect("a program has a path");
    let output = Command::new(program).args([test, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let output = output.expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// From here on `membarrier(2)` fails with `EPERM` in this thread and those it starts.
fn refuse_membarrier() {
    let statement = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let number = statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0);
    let is_it = statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, libc::SYS_membarrier as u32);
    let answer = |k| statement(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    let refuse = answer(libc::SECCOMP_RET_ERRNO | libc::EPERM as u32);
    let mut program = [number, is_it, refuse, answer(libc::SECCOMP_RET_ALLOW)];
    let filter = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the filter and its program live while the calls last.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &filter), 0);
    }
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fd = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which lives while the call lasts.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
}

#[test]
fn the_fence_is_the_one_that_was_asked_for() {
    const NAME: &str = "the_fence_is_the_one_that_was_asked_for";
    const ASKED: &str = "FOPS_FENCE_ASKED";
    if let Some(asked) = std::env::var_os(ASKED) {
        return assert_eq!(format!("{:?}", fence_kind()), asked.to_str().unwrap());
    }
    let (query, private_expedited) = (0, 1 << 3);
    // SAFETY: it asks what there is, and changes nothing.
    let granted = unsafe { libc::syscall(libc::SYS_membarrier, query, 0) };
    let by_itself = if granted > 0 && granted & private_expedited != 0 { "Asymmetric" } else { "Symmetric" };
    for (wish, asked) in [("", by_itself), ("symmetric", "Symmetric")] {
        let mut program = Command::new(std::env::current_exe().unwrap());
        let program = program.args([NAME, "--exact"]).env("FOPS_FENCE", wish).env(ASKED, asked);
        let output = program.output().unwrap();
        assert!(output.status.success(), "{wish:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn refused_after_its_first_use_nothing_is_freed() {
    const NAME: &str = "refused_after_its_first_use_nothing_is_freed";
    if std::env::var_os("FOPS_FENCE").is_some_and(|fence| fence == "symmetric") {
        // Asked for: there is no fence that could be refused.
        return assert_eq!(fence_kind(), FenceKind::Symmetric);
    }
    if fence_kind() != FenceKind::Asymmetric {
        return skip("membarrier(2) is not used here");
    }
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let _watchdog = watchdog(NAME);
    let dropped = counter();
    let lifetime = DeviceLifetime::new(Registers(dropped));
    drop(lifetime.enter(op!("first")).expect("it is plugged"));
    // Whoever waits for the device to go is told that it has, in all ways; in the groups below too.
    struct Device(DeviceLifetime<Registers>, WaitQueue);
    impl fops_runtime::Device for Device {
        type Resources = Registers;
        fn lifetime(&self) -> &DeviceLifetime<Registers> {
            &self.0
        }
    }
    impl Unpluggable for Device {
        type Resources = Registers;
        fn parts(&self) -> impl Parts<Resources = Registers> {
            Part::of(self)
        }
    }
    let devices: [Device; 3] =
        core::array::from_fn(|_| Device(DeviceLifetime::new(Registers(dropped)), WaitQueue::new()));
    let [_, one, other] = &devices;
    std::thread::scope(|scope| {
        let sleepers = devices.each_ref().map(|Device(lifetime, queue)| {
            scope.spawn(move || {
                let access = lifetime.enter(op!("sleeper")).expect("it is plugged");
                access.wait_event(queue, || None::<()>)
            })
        });
        eventually("the sleepers", || devices.iter().all(|device| device.1.has_sleepers()));
        let fds = devices.each_ref().map(|device| device.0.unplug_fd().expect("there are not that many files"));
        refuse_membarrier();
        assert_eq!(devices[0].unplug(Cause::Unbind).err(), Some(UnplugError::FenceRefused));
        assert_eq!((one, vec![other]).unplug(Cause::Unbind).err(), Some(UnplugError::FenceRefused));
        for (sleeper, fd) in sleepers.into_iter().zip(fds) {
            assert_eq!(sleeper.join().expect("it does not panic"), Err(WaitError::Unplugged));
            assert!(is_readable(fd));
        }
    });
    for _ in 0..2 {
        // And another unplug tries again.
        assert_eq!(lifetime.alone().begin_unplug(Cause::Unbind).err(), Some(UnplugError::FenceRefused));
        assert!(lifetime.enter(op!("late")).is_err(), "it is closed");
        assert_eq!(dropped.load(SeqCst), 0, "the resources are kept");
    }
}
