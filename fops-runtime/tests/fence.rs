//! What becomes of the heavy fence: refused by a filter that came late; and a fork, after which nothing is waited for.
#![cfg(all(feature = "std", target_os = "linux", not(loom)))]
mod common;

use common::{Registers, counter, eventually, skip, watchdog};
use fops_runtime::op::op;
use fops_runtime::{
    Alone, Cause, DeviceLifetime, Draining, FenceKind, Part, Parts, Unplug, UnplugError, Unpluggable, WaitError,
    WaitQueue, fence_kind,
};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::Duration;

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
            let unplugged = lifetime.alone().begin_unplug(Cause::Unbind).map(|draining| draining.wait());
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
    assert_eq!(lifetime.alone().begin_unplug(Cause::Unbind).map(|draining| draining.wait()), Ok(5));
}

/// Other threads begin and end, with their slots and their names, whenever it forks: the child, which does not have
/// them, does not wait for what they were in the middle of.
#[test]
fn a_forked_child_starts_threads_of_its_own() {
    const NAME: &str = "a_forked_child_starts_threads_of_its_own";
    if std::env::var_os(CHILD).is_none() {
        // By itself: the other tests of this program have locks of their own.
        return again(NAME);
    }
    let rounds = if std::env::var_os("FOPS_QUICK").is_some() { 50 } else { 500 };
    let lifetime: &'static DeviceLifetime<u32> = Box::leak(Box::new(DeviceLifetime::new(5)));
    let enter = || assert_eq!(*lifetime.enter(op!("short")).expect("it is plugged"), 5);
    let (done, straggler) = (AtomicBool::new(false), Arc::new(DeviceLifetime::new(())));
    let access = straggler.enter_owned(op!("straggler")).expect("it is plugged");
    drop(straggler.alone().begin_unplug(Cause::Unbind).expect("nobody else unplugs it"));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    std::thread::spawn(enter).join().expect("it gets in");
                }
            });
        }
        // And their names are asked for all the time.
        scope.spawn(|| {
            while !done.load(SeqCst) {
                assert!(straggler.report().to_string().contains("straggler"));
            }
        });
        for _ in 0..rounds {
            // SAFETY: the child starts a thread, and leaves without running anything else of the parent's.
            let child = unsafe { libc::fork() };
            if child == 0 {
                // SAFETY: a child that waits is ended by the alarm.
                unsafe { libc::alarm(20) };
                extern "C" fn child(lifetime: *mut libc::c_void) -> *mut libc::c_void {
                    // SAFETY: what it is started with, below.
                    let lifetime = unsafe { &*lifetime.cast::<DeviceLifetime<u32>>() };
                    let entered = lifetime.enter(op!("child's")).is_ok_and(|access| *access == 5);
                    // SAFETY: the child ends.
                    unsafe { libc::_exit(i32::from(!entered)) }
                }
                let (mut thread, lifetime) = (0, std::ptr::from_ref(lifetime).cast_mut().cast());
                // Not one of std's: those take a lock of std's own, which nobody may have at a fork.
                // SAFETY: the function takes what it is given, and the lifetime lives for ever.
                unsafe { libc::pthread_create(&mut thread, std::ptr::null(), child, lifetime) };
                loop {
                    std::thread::park();
                }
            }
            let mut status = 0;
            // SAFETY: the status is written to.
            assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
            if status != 0 {
                done.store(true, SeqCst);
            }
            assert_eq!(status, 0, "the child hung, or failed");
        }
        done.store(true, SeqCst);
    });
    drop(access);
}

/// An access that another thread opened, and that both processes have: the child's ends nothing but itself.
#[test]
fn an_access_that_a_child_inherits_ends_no_other_section() {
    const NAME: &str = "an_access_that_a_child_inherits_ends_no_other_section";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let (inherited, own) = (Arc::new(DeviceLifetime::new(5)), Arc::new(DeviceLifetime::new(6)));
    let enter = |lifetime: &Arc<DeviceLifetime<u32>>| {
        let lifetime = lifetime.clone();
        // Ended or not makes no difference; here it has ended.
        std::thread::spawn(move || lifetime.enter_owned(op!("owned")).expect("it is plugged"))
            .join()
            .expect("it gets in")
    };
    let access = enter(&inherited);
    // SAFETY: the child starts threads, and leaves without running anything else of the parent's.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a child that waits is ended by the alarm.
        unsafe { libc::alarm(20) };
        let accesses: Vec<_> = (0..20).map(|_| enter(&own)).collect();
        drop(access);
        let stragglers = |draining: &Draining<'_, Alone<u32>>| draining.report().stragglers().count();
        let draining =
            own.alone().begin_unplug(Cause::Unbind).ok().and_then(|draining| draining.wait_for(Duration::ZERO).err());
        let all = draining.as_ref().map_or(0, stragglers) == accesses.len();
        let unplugged = inherited.alone().begin_unplug(Cause::Unbind).map(|draining| draining.wait());
        // SAFETY: the child ends.
        unsafe { libc::_exit(if all && unplugged == Ok(5) { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child lost a section");
    drop(access);
}

/// The thread that opened it has ended before the fork, so the child has the access as much as its parent.
#[test]
fn an_unplug_in_a_child_waits_for_an_access_that_it_inherits() {
    const NAME: &str = "an_unplug_in_a_child_waits_for_an_access_that_it_inherits";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let lifetime = Arc::new(DeviceLifetime::new(5));
    let theirs = lifetime.clone();
    let opens = std::thread::spawn(move || theirs.enter_owned(op!("transfer")));
    let access = opens.join().expect("it does not panic").expect("it is plugged");
    // SAFETY: the child does what a thread may do anywhere: its parent's others are idle.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a child that waits is ended by the alarm.
        unsafe { libc::alarm(20) };
        let unplug = lifetime.alone().begin_unplug(Cause::Unbind).ok();
        let draining = unplug.and_then(|draining| draining.wait_for(Duration::from_millis(10)).err());
        let named = draining.as_ref().is_some_and(|draining| draining.report().to_string().contains("transfer"));
        let lent = *access;
        drop(access);
        let handed_back = draining.map(|draining| draining.wait());
        // SAFETY: the child ends.
        unsafe { libc::_exit(if named && lent == 5 && handed_back == Some(5) { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child hung, or was handed the resources under its access");
    drop(access);
    assert_eq!(lifetime.alone().unplug(Cause::Unbind), Ok(5));
}

/// A thread of the parent's sleeps with a cancellation, on its stack; the child does not have that thread.
#[test]
fn a_child_does_not_call_what_other_threads_of_its_parent_registered() {
    const NAME: &str = "a_child_does_not_call_what_other_threads_of_its_parent_registered";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let lifetime: &'static DeviceLifetime<u32> = Box::leak(Box::new(DeviceLifetime::new(5)));
    let (inside, is_inside) = std::sync::mpsc::channel();
    // SAFETY: a process asks for its own number.
    let parent = unsafe { libc::getpid() };
    std::thread::spawn(move || {
        let access = lifetime.enter(op!("recv")).expect("it is plugged");
        // SAFETY: as above, and the child ends.
        let cancel = || unsafe {
            if libc::getpid() != parent {
                libc::_exit(3);
            }
        };
        access.with_cancellation(cancel, || {
            inside.send(()).expect("somebody waits");
            loop {
                std::thread::park();
            }
        })
    });
    is_inside.recv().expect("it gets in");
    // SAFETY: the child does little, and its parent's other thread sleeps.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a child that waits is ended by the alarm.
        unsafe { libc::alarm(20) };
        let own = lifetime.enter(op!("own")).expect("it is plugged");
        let called = std::cell::Cell::new(false);
        // Registers beside what the parent's thread has registered.
        own.with_cancellation(|| (), || called.set(true));
        drop(own);
        let handed_back = lifetime.alone().unplug(Cause::Unbind);
        // SAFETY: the child ends.
        unsafe { libc::_exit(if called.get() && handed_back == Ok(5) { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child hung, called its parent's cancellation, or failed");
}
