//! Sleeping in a section: what wakes it, and what it answers.
#![cfg(feature = "lock_api")]
mod common;

use common::{DEADLINE, eventually, watchdog};
use fops_runtime::op::op;
use fops_runtime::{
    Cause, DeviceLifetime, Errno, PollEvents, PollTable, Poller, Request, Unplug, WaitError, WaitQueue,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn errors_become_their_errno() {
    assert_eq!(Errno::from(WaitError::Unplugged), Errno::ENODEV);
    assert_eq!(Errno::from(WaitError::Interrupted), Errno::EINTR);
}

#[test]
fn a_value_is_returned_at_once() {
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    let access = lifetime.enter(op!("read")).unwrap();
    assert_eq!(access.wait_event(&queue, || Some(7)), Ok(7));
}

#[test]
fn unplug_wakes_a_sleeper() {
    let _watchdog = watchdog("unplug_wakes_a_sleeper");
    let (lifetime, queue, asked) = (DeviceLifetime::new(()), WaitQueue::new(), AtomicUsize::new(0));
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let access = lifetime.enter(op!("read")).unwrap();
            access.wait_event(&queue, || {
                asked.fetch_add(1, SeqCst);
                None::<()>
            })
        });
        eventually("the sleeper", || asked.load(SeqCst) > 0);
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
    });
}

#[test]
fn unplug_comes_before_the_condition() {
    // What the stop hook hands back must not be mistaken for an event.
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    thread::scope(|s| {
        let access = lifetime.enter(op!("dqbuf")).unwrap();
        let remover = s.spawn(|| lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait());
        eventually("the flag", || access.is_unplugged());
        assert_eq!(access.wait_event(&queue, || Some(1)), Err(WaitError::Unplugged));
        drop(access);
        remover.join().unwrap();
    });
}

#[test]
fn an_interrupt_wakes_a_sleeper_and_is_kept_for_one_to_come() {
    for early in [true, false] {
        let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
        let (request, asked) = (Request::new(None), AtomicUsize::new(0));
        if early {
            request.interrupt();
        }
        thread::scope(|s| {
            let sleeper = s.spawn(|| {
                request.run(|| {
                    let access = lifetime.enter(op!("read")).unwrap();
                    access.wait_event(&queue, || {
                        asked.fetch_add(1, SeqCst);
                        None::<()>
                    })
                })
            });
            if !early {
                eventually("the sleeper", || asked.load(SeqCst) > 0);
                request.interrupt();
            }
            assert_eq!(sleeper.join().unwrap(), Err(WaitError::Interrupted));
        });
        // The next request of the same thread is another.
        let access = lifetime.enter(op!("read")).unwrap();
        assert_eq!(access.wait_event(&queue, || Some(())), Ok(()));
    }
}

#[test]
fn a_lock_is_free_while_its_holder_sleeps_and_held_on_return() {
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    let frames = parking_lot::Mutex::new(Vec::new());
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (lifetime, queue, frames) = (&lifetime, &queue, &frames);
        let sleeper = s.spawn(move || {
            let access = lifetime.enter(op!("dqbuf")).unwrap();
            let mut guard = frames.lock();
            inside.send(()).unwrap();
            let frame = access.wait_event_locked(queue, &mut guard, |frames| frames.pop());
            assert!(frames.try_lock().is_none(), "the lock is not held");
            drop(guard);
            frame
        });
        wait_inside.recv().unwrap();
        // Only possible once the sleeper has let go.
        frames.try_lock_for(DEADLINE).expect("the sleeper holds the lock").push(5);
        queue.wake_all();
        assert_eq!(sleeper.join().unwrap(), Ok(5));
    });
}

#[test]
fn a_condition_that_panics_leaves_no_trace() {
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    let panicked = thread::scope(|s| {
        s.spawn(|| {
            let access = lifetime.enter(op!("read")).unwrap();
            let _ = access.wait_event(&queue, || -> Option<()> { panic!("in a condition, on purpose") });
        })
        .join()
    });
    assert!(panicked.is_err());
    assert_eq!(format!("{queue:?}"), "WaitQueue { sections: 0, pollers: 0 }");
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
}

#[test]
fn a_wait_outside_a_section_ends_in_time() {
    let queue = WaitQueue::new();
    let began = Instant::now();
    assert_eq!(queue.wait_event(Some(Duration::from_millis(20)), || None::<()>), Ok(None));
    assert!(began.elapsed() >= Duration::from_millis(20));
    assert_eq!(queue.wait_event(None, || Some(3)), Ok(Some(3)));
}

#[test]
fn a_cancellation_runs_once_when_unplug_begins() {
    let (lifetime, calls) = (DeviceLifetime::new(()), AtomicUsize::new(0));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (wake, sleep) = mpsc::channel();
        let (lifetime, calls) = (&lifetime, &calls);
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            let cancel = || {
                calls.fetch_add(1, SeqCst);
                wake.send(()).unwrap();
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                sleep.recv_timeout(DEADLINE).expect("not cancelled");
            });
        });
        wait_inside.recv().unwrap();
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    });
    assert_eq!(calls.load(SeqCst), 1);
}

#[test]
fn a_cancellation_runs_at_once_when_unplug_has_begun() {
    let (lifetime, calls) = (DeviceLifetime::new(()), AtomicUsize::new(0));
    thread::scope(|s| {
        let access = lifetime.enter(op!("recv")).unwrap();
        let remover = s.spawn(|| lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait());
        eventually("the flag", || access.is_unplugged());
        let cancel = || {
            calls.fetch_add(1, SeqCst);
        };
        access.with_cancellation(cancel, || assert_eq!(calls.load(SeqCst), 1));
        drop(access);
        remover.join().unwrap();
    });
    assert_eq!(calls.load(SeqCst), 1);
}

#[test]
fn a_cancellation_that_is_over_is_not_called() {
    let (lifetime, calls) = (DeviceLifetime::new(()), AtomicUsize::new(0));
    let access = lifetime.enter(op!("recv")).unwrap();
    for _ in 0..3 {
        let cancel = || {
            calls.fetch_add(1, SeqCst);
        };
        access.with_cancellation(cancel, || ());
    }
    drop(access);
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    assert_eq!(calls.load(SeqCst), 0);
}

#[test]
fn a_section_waits_for_its_running_cancellation() {
    // The callback borrows from the section's stack: leaving under it would free what it uses.
    let lifetime = DeviceLifetime::new(());
    let (running, finished) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (lifetime, running, finished) = (&lifetime, &running, &finished);
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            let cancel = || {
                running.store(true, SeqCst);
                // Long enough for the section to get ahead if it did not wait.
                thread::sleep(Duration::from_millis(50));
                finished.store(true, SeqCst);
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                eventually("the cancellation", || running.load(SeqCst));
            });
            assert!(finished.load(SeqCst), "the section left under its cancellation");
        });
        wait_inside.recv().unwrap();
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    });
}

#[test]
fn a_cancellation_that_panics_stops_neither_the_others_nor_unplug() {
    let (lifetime, calls) = (DeviceLifetime::new(()), AtomicUsize::new(0));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        for panics in [false, true, false] {
            let (lifetime, calls, inside) = (&lifetime, &calls, inside.clone());
            s.spawn(move || {
                let access = lifetime.enter(op!("recv")).unwrap();
                let cancelled = AtomicBool::new(false);
                let cancel = || {
                    cancelled.store(true, SeqCst);
                    calls.fetch_add(1, SeqCst);
                    assert!(!panics, "in a cancellation, on purpose");
                };
                access.with_cancellation(cancel, || {
                    inside.send(()).unwrap();
                    eventually("the cancellation", || cancelled.load(SeqCst));
                });
            });
        }
        (0..3).for_each(|_| wait_inside.recv().unwrap());
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    });
    assert_eq!(calls.load(SeqCst), 3);
}

#[test]
fn cancellations_may_take_locks_that_sections_hold_while_they_register() {
    let (lifetime, lock) = (DeviceLifetime::new(()), Arc::new(parking_lot::Mutex::new(())));
    thread::scope(|s| {
        let (inside, wait_inside) = mpsc::channel();
        let (lifetime, lock) = (&lifetime, &lock);
        s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            let called = AtomicBool::new(false);
            let cancel = || {
                let _held = lock.try_lock_for(DEADLINE).expect("deadlock");
                called.store(true, SeqCst);
            };
            access.with_cancellation(cancel, || {
                inside.send(()).unwrap();
                // Registers another one with the lock held, while the first is called or about to be.
                let held = lock.lock();
                eventually("the flag", || access.is_unplugged());
                access.with_cancellation(|| (), || ());
                drop(held);
                eventually("the cancellation", || called.load(SeqCst));
            });
        });
        wait_inside.recv().unwrap();
        lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
    });
}

#[test]
fn who_sleeps_in_poll_is_a_sleeper_until_it_is_gone() {
    #[derive(Default)]
    struct Counter(AtomicUsize);
    impl Poller for Counter {
        fn wake(&self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let queue = WaitQueue::new();
    let register = |counter: &Arc<Counter>| {
        let poller: Arc<dyn Poller> = counter.clone();
        PollTable::new(PollEvents::IN, &poller).wait(&queue);
    };
    let pollers = || format!("{queue:?}");
    let [first, second, third] = [(); 3].map(|()| Arc::new(Counter::default()));
    assert!(!queue.has_sleepers());
    register(&first);
    register(&second);
    register(&second);
    assert!(queue.has_sleepers());
    queue.wake_all();
    assert_eq!([&first, &second].map(|counter| counter.0.load(SeqCst)), [1, 1]);
    // What is left of those that are gone goes when a next one comes: where there are many, when they are as many as the others.
    drop((first, second));
    assert!(!queue.has_sleepers());
    assert_eq!(pollers(), "WaitQueue { sections: 0, pollers: 2 }");
    register(&third);
    assert_eq!(pollers(), "WaitQueue { sections: 0, pollers: 1 }");
}

#[test]
fn a_wait_that_is_over_leaves_nothing_behind() {
    let (queue, request) = (WaitQueue::new(), Request::new(None));
    request.run(|| assert_eq!(queue.wait_event(None, || Some(())), Ok(Some(()))));
    assert!(!queue.has_sleepers());
    assert_eq!(Arc::strong_count(&request), 1, "something would wake it still");
}

/// It holds itself until it is woken: the waker drops it.
#[test]
fn a_poller_that_panics_when_it_is_dropped_stops_no_unplug() {
    struct Suicidal(std::sync::Mutex<Option<Arc<dyn Poller>>>);
    impl Poller for Suicidal {
        fn wake(&self) {
            *self.0.lock().unwrap() = None;
        }
    }
    impl Drop for Suicidal {
        fn drop(&mut self) {
            panic!("dropped by its waker");
        }
    }
    let lifetime = DeviceLifetime::new(5);
    let poller = Arc::new(Suicidal(std::sync::Mutex::new(None)));
    let itself: Arc<dyn Poller> = poller.clone();
    *poller.0.lock().unwrap() = Some(itself.clone());
    drop(poller);
    fops_runtime::PollTable::new(fops_runtime::PollEvents::IN, &itself).wait(lifetime.pollers());
    drop(itself);
    assert_eq!(lifetime.alone().unplug(Cause::Unbind), Ok(5));
}
