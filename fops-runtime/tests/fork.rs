//! What a forked child finds: nothing of its parent's other threads is waited for, called, or locked.
#![cfg(all(feature = "std", target_os = "linux", not(loom)))]
mod common;

use common::{DEADLINE, Device};
use fops_runtime::op::op;
use fops_runtime::{
    Alone, Cause, Client, DeviceLifetime, Draining, Request, Unplug, UnplugError, WaitError, WaitQueue,
};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Set in the child, where the test does what it is about.
const CHILD: &str = "FOPS_FORK_CHILD";

/// Runs one test of this program again, in a process of its own: the other tests have locks of their own.
fn again(test: &str) {
    let program = std::env::current_exe().expect("a program has a path");
    let output = Command::new(program).args([test, "--exact", "--nocapture"]).env(CHILD, "1").output();
    let output = output.expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Runs `check` in a forked child. It does what a thread may do anywhere, and runs nothing else of the parent's.
#[track_caller]
fn holds_in_a_child(check: impl FnOnce() -> bool) {
    // SAFETY: as said above.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: a child that waits is ended by the alarm.
        unsafe { libc::alarm(20) };
        let status = i32::from(!check());
        // SAFETY: the child ends.
        unsafe { libc::_exit(status) };
    }
    let (mut status, began) = (0, Instant::now());
    // It may hang before it has its alarm.
    // SAFETY: the status is written to.
    while unsafe { libc::waitpid(child, &mut status, libc::WNOHANG) } != child {
        if began.elapsed() > DEADLINE {
            // SAFETY: it is a child that has not been waited for.
            unsafe { libc::kill(child, libc::SIGKILL) };
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    assert_eq!(status, 0, "the child hung, or failed");
}

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fd = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which lives while the call lasts.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
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
    holds_in_a_child(|| {
        let own = lifetime.enter(op!("own")).expect("it is plugged");
        let called = std::cell::Cell::new(false);
        // Registers beside what the parent's thread has registered.
        own.with_cancellation(|| (), || called.set(true));
        drop(own);
        let handed_back = lifetime.alone().unplug(Cause::Unbind);
        called.get() && handed_back == Ok(5)
    });
}

/// The child unplugs its copy of the device. Nobody in the parent is told so.
#[test]
fn a_child_has_an_unplug_fd_of_its_own() {
    let lifetime = DeviceLifetime::new(5);
    let parents = lifetime.unplug_fd().expect("there are files left");
    holds_in_a_child(|| {
        let Ok(own) = lifetime.unplug_fd() else { return false };
        let before = is_readable(own);
        lifetime.alone().unplug(Cause::Unbind) == Ok(5) && !before && is_readable(own) && !is_readable(parents)
    });
    // One that has never asked for it raises none either.
    holds_in_a_child(|| lifetime.alone().unplug(Cause::Unbind) == Ok(5));
    assert!(!is_readable(parents), "the child raised it");
    assert_eq!(lifetime.alone().unplug(Cause::Unbind), Ok(5));
    assert!(is_readable(parents));
}

#[test]
fn a_report_in_a_child_has_the_childs_thread_and_the_client_that_it_serves() {
    let lifetime = DeviceLifetime::new(5);
    Request::new(Some(Client::new(u32::MAX, 0, 0))).run(|| {
        let access = lifetime.enter(op!("here")).expect("it is plugged");
        holds_in_a_child(|| {
            let report = lifetime.report().to_string();
            report.contains(&format!(", thread {} ", std::process::id())) && report.contains("client 4294967295")
        });
        drop(access);
    });
}

/// Other threads serve requests, sleep and unplug whenever it forks.
#[test]
fn a_forked_child_serves_requests_and_sleeps() {
    const NAME: &str = "a_forked_child_serves_requests_and_sleeps";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let done = AtomicBool::new(false);
    let request = || Request::new(Some(Client::new(1, 0, 0)));
    let (own, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
                while !done.load(SeqCst) {
                    request().run(|| {
                        let access = lifetime.enter(op!("read")).expect("it is plugged");
                        access.wait_event(&queue, || Some(())).expect("it has what it waits for");
                        assert!(lifetime.report().to_string().contains("client 1"));
                    });
                }
            });
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    DeviceLifetime::new(()).alone().unplug(Cause::Unbind).expect("nobody else unplugs it");
                }
            });
        }
        // Ends the other threads if the child fails.
        let ends = scopeguard(|| done.store(true, SeqCst));
        for _ in 0..common::rounds(500) {
            holds_in_a_child(|| {
                request().run(|| {
                    let Ok(access) = own.enter(op!("read")) else { return false };
                    let waited = access.wait_event(&queue, || Some(7)) == Ok(7);
                    // Nobody but itself is served here.
                    waited && own.report().to_string().contains("client 1")
                })
            });
        }
        drop(ends);
    });
}

/// Forks while other threads unplug devices of their own in this way, and unplugs so in each child. What all devices share
/// is free there.
fn unplugs_in_children(unplug: impl Fn(&DeviceLifetime<u32>) -> Result<u32, UnplugError> + Sync) {
    let (done, own) = (AtomicBool::new(false), DeviceLifetime::new(5));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    assert_eq!(unplug(&DeviceLifetime::new(6)), Ok(6));
                }
            });
        }
        // Ends the other threads if the child fails.
        let ends = scopeguard(|| done.store(true, SeqCst));
        for _ in 0..common::rounds(500) {
            holds_in_a_child(|| unplug(&own) == Ok(5));
        }
        drop(ends);
    });
    assert_eq!(unplug(&own), Ok(5));
}

#[test]
fn a_forked_child_unplugs_while_other_threads_of_its_parent_do() {
    const NAME: &str = "a_forked_child_unplugs_while_other_threads_of_its_parent_do";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    unplugs_in_children(|lifetime| lifetime.alone().unplug(Cause::Unbind));
}

#[cfg(feature = "async")]
#[test]
fn a_task_of_a_forked_child_unplugs_while_other_tasks_of_its_parent_do() {
    use fops_runtime::UnplugAsync as _;
    const NAME: &str = "a_task_of_a_forked_child_unplugs_while_other_tasks_of_its_parent_do";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    unplugs_in_children(|lifetime| futures_executor::block_on(lifetime.alone().unplug_async(Cause::Unbind)));
}

/// Runs `end` when it is dropped.
fn scopeguard(end: impl Fn()) -> impl Drop {
    struct Guard<F: Fn()>(F);
    impl<F: Fn()> Drop for Guard<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Guard(end)
}

/// The one thread of the child was asleep at the fork, and still is.
#[test]
fn a_thread_that_forks_inside_a_sleep_is_woken_in_the_child_too() {
    const NAME: &str = "a_thread_that_forks_inside_a_sleep_is_woken_in_the_child_too";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let lifetime: &'static DeviceLifetime<()> = Box::leak(Box::new(DeviceLifetime::new(())));
    let queue = WaitQueue::new();
    let mut child = None;
    let access = lifetime.enter(op!("read")).expect("it is plugged");
    let waited = access.wait_event(&queue, || {
        // SAFETY: the child does what a thread may do anywhere: its parent's others are idle.
        let forked = *child.get_or_insert_with(|| match unsafe { libc::fork() } {
            0 => {
                // SAFETY: a child that waits is ended by the alarm.
                unsafe { libc::alarm(20) };
                std::thread::spawn(|| {
                    // It sleeps by then, mostly.
                    std::thread::sleep(Duration::from_millis(50));
                    lifetime.alone().unplug(Cause::Unbind)
                });
                0
            }
            child => child,
        });
        (forked != 0).then_some(())
    });
    let child = child.expect("it was asked");
    if child == 0 {
        // SAFETY: the child ends.
        unsafe { libc::_exit(i32::from(waited != Err(WaitError::Unplugged))) };
    }
    let mut status = 0;
    // SAFETY: the status is written to.
    assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
    assert_eq!(status, 0, "the child slept on, or failed");
    assert_eq!(waited, Ok(()));
}

/// The child is inside the section, too, but nobody calls the cancellation there: its unplug waits, and names the section.
#[test]
fn a_thread_that_forks_inside_a_cancellation_keeps_its_section_in_the_child() {
    const NAME: &str = "a_thread_that_forks_inside_a_cancellation_keeps_its_section_in_the_child";
    if std::env::var_os(CHILD).is_none() {
        return again(NAME);
    }
    let lifetime: &'static DeviceLifetime<u32> = Box::leak(Box::new(DeviceLifetime::new(5)));
    let access = lifetime.enter(op!("recv")).expect("it is plugged");
    access.with_cancellation(
        || (),
        || {
            holds_in_a_child(|| {
                let unplugs = std::thread::spawn(|| {
                    let draining = lifetime.alone().begin_unplug(Cause::Unbind).ok()?;
                    let draining = draining.wait_for(Duration::from_millis(10)).err()?;
                    Some(draining.report().to_string())
                });
                unplugs.join().expect("it does not panic").is_some_and(|report| report.contains("recv"))
                    && access.is_unplugged()
            });
        },
    );
    drop(access);
    assert_eq!(lifetime.alone().unplug(Cause::Unbind), Ok(5));
}

#[test]
fn a_child_does_not_wait_for_its_parents_starts() {
    let device = Device::new();
    std::thread::scope(|scope| {
        let (inside, wait_inside) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let device = &device;
        scope.spawn(move || {
            let access = device.lifetime.enter(op!("streamon")).unwrap();
            access.arm(|| {
                inside.send(()).unwrap();
                wait_leave.recv_timeout(DEADLINE).unwrap();
            })
        });
        wait_inside.recv_timeout(DEADLINE).unwrap();
        holds_in_a_child(|| device.unplug(Cause::Unbind).is_ok());
        leave.send(()).unwrap();
    });
}
