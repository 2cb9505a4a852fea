//! What becomes of the heavy fence: refused by a filter that came late; and a fork, after which nothing is waited for.
#![cfg(all(feature = "std", target_os = "linux", not(loom)))]
mod common;

use common::{Registers, counter, skip};
use fops_runtime::{Cause, DeviceLifetime, FenceKind, Unplug, UnplugError, fence_kind, op};
use std::process::Command;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::mpsc;

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
    let dropped = counter();
    let lifetime = DeviceLifetime::new(Registers(dropped));
    drop(lifetime.enter(op!("first")).expect("it is plugged"));
    refuse_membarrier();
    for _ in 0..2 {
        // And another unplug tries again.
        assert_eq!(lifetime.begin_unplug(Cause::Unbind).err(), Some(UnplugError::FenceRefused));
        assert!(lifetime.enter(op!("late")).is_err(), "it is closed");
        assert_eq!(dropped.load(SeqCst), 0, "the resources are kept");
    }
    // A group: as its devices.
    struct Part(DeviceLifetime<Registers>);
    impl Unplug for Part {
        type Resources = Registers;
        fn lifetime(&self) -> &DeviceLifetime<Registers> {
            &self.0
        }
    }
    let parts = [Part(lifetime), Part(DeviceLifetime::new(Registers(dropped)))];
    let unplugged = fops_runtime::Group::unplug_group((&parts[0], &parts[1]), Cause::Removal);
    assert_eq!(unplugged.err(), Some(UnplugError::FenceRefused));
    assert_eq!(dropped.load(SeqCst), 0, "the resources are kept");
}

#[test]
fn a_forked_child_does_not_wait_for_its_parents_sections() {
    let lifetime = DeviceLifetime::new(5);
    let here = DeviceLifetime::new(6);
    std::thread::scope(|scope| {
        let (inside, is_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let lifetime = &lifetime;
        scope.spawn(move || {
            let _access = lifetime.enter(op!("parent's")).expect("it is plugged");
            inside.send(()).expect("somebody listens");
            let _ = wait_leave.recv();
        });
        is_inside.recv().expect("the thread gets in");
        drop(here.enter(op!("here")).expect("it is plugged"));
        // SAFETY: the child unplugs, and leaves without running anything else of the parent's.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: a child that waits is ended by the alarm.
            unsafe { libc::alarm(20) };
            let unplugged = lifetime.begin_unplug(Cause::Unbind).map(|draining| draining.wait());
            let entered = here.enter(op!("child's")).is_ok_and(|access| *access == 6);
            // SAFETY: the child ends.
            unsafe { libc::_exit(if unplugged == Ok(5) && entered { 0 } else { 1 }) };
        }
        let mut status = 0;
        // SAFETY: the status is written to.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
        drop(leave);
    });
    // The parent's are its own still.
    assert_eq!(lifetime.begin_unplug(Cause::Unbind).map(|draining| draining.wait()), Ok(5));
}
