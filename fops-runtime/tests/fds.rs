//! Sleeps that are file descriptors.
#![cfg(all(feature = "std", target_os = "linux"))]
mod common;

use common::{DEADLINE, eventually};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, Errno, PollEvents, Request, Unplug, WaitError};
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn is_readable(fd: BorrowedFd<'_>) -> bool {
    let mut fd = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one entry, which lives while the call lasts.
    unsafe { libc::poll(&mut fd, 1, 0) == 1 }
}

fn is_open(fd: RawFd) -> bool {
    std::fs::read_link(format!("/proc/self/fd/{fd}")).is_ok_and(|to| to.to_string_lossy().contains("eventfd"))
}

/// The descriptor of this number is an eventfd, of this process, with this count.
fn count(fd: RawFd) -> String {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap();
    info.lines().find_map(|line| line.strip_prefix("eventfd-count:")).unwrap().trim().into()
}

#[test]
fn the_descriptor_becomes_readable_when_unplug_begins_and_stays_so() {
    let lifetime = DeviceLifetime::new(());
    let access = lifetime.enter(op!("busy")).unwrap();
    let fd = lifetime.unplug_fd().unwrap();
    assert_eq!(fd.as_raw_fd(), lifetime.unplug_fd().unwrap().as_raw_fd());
    assert!(!is_readable(fd));
    thread::scope(|s| {
        s.spawn(|| lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait());
        // While the drain lasts.
        eventually("readable", || is_readable(fd));
        drop(access);
    });
    assert!(is_readable(fd));
    assert_eq!(count(fd.as_raw_fd()), "1");
}

#[test]
fn one_that_is_asked_for_late_is_readable_at_once() {
    let lifetime = DeviceLifetime::new(());
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    assert!(is_readable(lifetime.unplug_fd().unwrap()));
    draining.wait();
    assert!(is_readable(lifetime.unplug_fd().unwrap()));
}

#[test]
fn a_dropped_lifetime_closes_it() {
    // In a process of its own: other tests open descriptors too, and numbers are used again.
    const CHILD: &str = "FOPS_TEST_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let this = std::env::current_exe().unwrap();
        let test = ["a_dropped_lifetime_closes_it", "--exact", "--test-threads=1"];
        assert!(std::process::Command::new(this).args(test).env(CHILD, "1").status().unwrap().success());
        return;
    }
    let lifetime = DeviceLifetime::new(());
    let fd = lifetime.unplug_fd().unwrap().as_raw_fd();
    assert!(is_open(fd));
    drop(lifetime);
    assert!(!is_open(fd));
}

#[test]
fn a_descriptor_that_is_ready_is_answered_at_once() {
    let (lifetime, (ours, mut theirs)) = (DeviceLifetime::new(()), UnixStream::pair().unwrap());
    let access = lifetime.enter(op!("read")).unwrap();
    assert_eq!(access.wait_fd(&ours, PollEvents::IN, Some(Duration::ZERO)), Ok(None));
    assert_eq!(access.wait_fd(&ours, PollEvents::OUT, None), Ok(Some(PollEvents::OUT)));
    theirs.write_all(b"frame").unwrap();
    assert_eq!(
        access.wait_fd(&ours, PollEvents::IN | PollEvents::OUT, None),
        Ok(Some(PollEvents::IN | PollEvents::OUT))
    );
    drop(theirs);
    let hung_up = access.wait_fd(&ours, PollEvents::EMPTY, None).unwrap().unwrap();
    assert!(hung_up.contains(PollEvents::HUP));
}

#[test]
fn a_timeout_is_kept() {
    let (lifetime, (ours, _theirs)) = (DeviceLifetime::new(()), UnixStream::pair().unwrap());
    let access = lifetime.enter(op!("read")).unwrap();
    let (limit, began) = (Duration::from_millis(30), Instant::now());
    assert_eq!(access.wait_fd(&ours, PollEvents::IN, Some(limit)), Ok(None));
    assert!(began.elapsed() >= limit);
}

#[test]
fn data_wakes_a_sleeper() {
    let (lifetime, (ours, mut theirs)) = (DeviceLifetime::new(()), UnixStream::pair().unwrap());
    thread::scope(|s| {
        let sleeper =
            s.spawn(|| lifetime.enter(op!("read")).unwrap().wait_fd(&ours, PollEvents::IN, Some(DEADLINE)).unwrap());
        thread::sleep(Duration::from_millis(10));
        theirs.write_all(b"frame").unwrap();
        assert_eq!(sleeper.join().unwrap(), Some(PollEvents::IN));
    });
}

#[test]
fn unplug_wakes_a_sleeper_of_this_device_and_of_one_further_out() {
    for nested in [false, true] {
        let (outer, inner) = (DeviceLifetime::new(()), DeviceLifetime::new(()));
        let (ours, _theirs) = UnixStream::pair().unwrap();
        thread::scope(|s| {
            let (inside, is_inside) = mpsc::channel();
            let (outer, inner, ours) = (&outer, &inner, &ours);
            let sleeper = s.spawn(move || {
                let _outer = outer.enter(op!("outer")).unwrap();
                let access = inner.enter(op!("recv")).unwrap();
                inside.send(()).unwrap();
                access.wait_fd(ours, PollEvents::IN, Some(DEADLINE))
            });
            is_inside.recv().unwrap();
            // Mostly asleep by then, now and then not yet: neither may miss it.
            thread::sleep(Duration::from_millis(10));
            if nested { outer } else { inner }.alone().begin_unplug(Cause::Unbind).unwrap().wait();
            assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
        });
    }
}

#[test]
fn unplug_comes_before_data() {
    let (lifetime, (ours, mut theirs)) = (DeviceLifetime::new(()), UnixStream::pair().unwrap());
    theirs.write_all(b"frame").unwrap();
    let access = Arc::new(lifetime);
    let owned = access.enter_owned(op!("recv")).unwrap();
    let draining = access.alone().begin_unplug(Cause::Unbind).unwrap();
    assert_eq!(owned.wait_fd(&ours, PollEvents::IN, None), Err(WaitError::Unplugged));
    drop(owned);
    draining.wait();
}

#[test]
fn unplug_wakes_an_owned_access_on_another_thread() {
    let lifetime = Arc::new(DeviceLifetime::new(()));
    let (ours, _theirs) = UnixStream::pair().unwrap();
    let access = lifetime.enter_owned(op!("transfer")).unwrap();
    let (inside, is_inside) = mpsc::channel();
    let sleeper = thread::spawn(move || {
        inside.send(()).unwrap();
        access.wait_fd(&ours, PollEvents::IN, Some(DEADLINE))
    });
    is_inside.recv().unwrap();
    thread::sleep(Duration::from_millis(10));
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
}

#[test]
fn an_interrupt_wakes_a_sleeper_and_is_kept_for_one_to_come() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    for early in [true, false] {
        let lifetime = DeviceLifetime::new(());
        let request = Request::new(None);
        thread::scope(|s| {
            if early {
                request.interrupt();
            }
            let sleeper = s.spawn(|| {
                let access = lifetime.enter(op!("read")).unwrap();
                request.run(|| access.wait_fd(&ours, PollEvents::IN, Some(DEADLINE)))
            });
            if !early {
                thread::sleep(Duration::from_millis(10));
                request.interrupt();
            }
            assert_eq!(sleeper.join().unwrap(), Err(WaitError::Interrupted));
        });
    }
    // As where the kernel's own reads find data: it is not lost.
    theirs.write_all(b"frame").unwrap();
    let (lifetime, request) = (DeviceLifetime::new(()), Request::new(None));
    request.interrupt();
    let access = lifetime.enter(op!("read")).unwrap();
    assert_eq!(request.run(|| access.wait_fd(&ours, PollEvents::IN, None)), Ok(Some(PollEvents::IN)));
}

#[test]
fn what_is_not_open_is_said() {
    let lifetime = DeviceLifetime::new(());
    let access = lifetime.enter(op!("read")).unwrap();
    // SAFETY: nobody has so many descriptors; the call is told that there is none.
    let closed = unsafe { BorrowedFd::borrow_raw(1 << 30) };
    let answer = access.wait_fd(closed, PollEvents::IN, None);
    assert_eq!(answer, Err(WaitError::System(Errno::EBADF)));
    assert_eq!(Errno::from(answer.unwrap_err()), Errno::EBADF);
}

#[test]
fn a_cancellation_shuts_a_socket_down() {
    let (device, _peer) = UnixStream::pair().unwrap();
    let lifetime = DeviceLifetime::new(device);
    let (inside, is_inside) = mpsc::channel();
    thread::scope(|s| {
        let lifetime = &lifetime;
        let reader = s.spawn(move || {
            let access = lifetime.enter(op!("read")).unwrap();
            inside.send(()).unwrap();
            let stream: &UnixStream = &access;
            access.with_cancellation(
                || drop(stream.shutdown(Shutdown::Both)),
                || Read::read(&mut { stream }, &mut [0; 16]).unwrap(),
            )
        });
        is_inside.recv().unwrap();
        drop(lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait());
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn a_thread_that_gets_a_signal_of_its_own_sleeps_on() {
    static HANDLED: AtomicUsize = AtomicUsize::new(0);
    extern "C" fn handle(_: libc::c_int) {
        HANDLED.fetch_add(1, SeqCst);
    }
    // SAFETY: the handler counts. Without SA_RESTART, and poll(2) is not restarted anyway.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handle as extern "C" fn(libc::c_int) as usize;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, std::ptr::null_mut()), 0);
    }
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let lifetime = DeviceLifetime::new(ours);
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let lifetime = &lifetime;
        let sleeper = s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            // SAFETY: it has no arguments.
            inside.send(unsafe { libc::pthread_self() }).unwrap();
            access.wait_fd(&*access, PollEvents::IN, None)
        });
        let thread = is_inside.recv().unwrap();
        // One of them at least comes while it sleeps: it is asleep soon, and each is handled before the next.
        for sent in 1..=100 {
            // SAFETY: the thread has not been joined.
            unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
            eventually("the signal", || HANDLED.load(SeqCst) == sent || sleeper.is_finished());
            assert!(!sleeper.is_finished(), "nothing has come for it");
            thread::yield_now();
        }
        theirs.write_all(b"frame").unwrap();
        assert_eq!(sleeper.join().unwrap(), Ok(Some(PollEvents::IN)));
    });
}

/// Each sleeps with an alarm of its own: neither takes the other's.
#[test]
fn two_threads_that_serve_one_request_are_both_woken() {
    let watchdog = common::watchdog("two threads of one request");
    for round in 0..common::rounds(5_000) {
        watchdog.goes_on();
        let lifetime = DeviceLifetime::new(UnixStream::pair().unwrap());
        let request = Request::new(None);
        thread::scope(|s| {
            let (inside, is_inside) = mpsc::channel();
            let sleepers = [(); 2].map(|()| {
                let (lifetime, request, inside) = (&lifetime, &request, inside.clone());
                s.spawn(move || {
                    request.run(|| {
                        let access = lifetime.enter(op!("recv")).unwrap();
                        inside.send(()).unwrap();
                        access.wait_fd(&access.0, PollEvents::IN, None)
                    })
                })
            });
            is_inside.recv().unwrap();
            is_inside.recv().unwrap();
            // Before, while and after they fall asleep.
            thread::sleep(Duration::from_micros(round as u64 % 100));
            if round % 2 == 0 {
                lifetime.alone().unplug(Cause::Unbind).unwrap();
                assert_eq!(sleepers.map(|sleeper| sleeper.join().unwrap()), [Err(WaitError::Unplugged); 2]);
            } else {
                request.interrupt();
                assert_eq!(sleepers.map(|sleeper| sleeper.join().unwrap()), [Err(WaitError::Interrupted); 2]);
            }
        });
    }
}
