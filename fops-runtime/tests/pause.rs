//! Pause and resume: what sleeps, what parks, what is waited for, and what unplug makes of it.
#![cfg(feature = "std")]
mod common;

use common::{DEADLINE, Device, eventually, watchdog};
use fops_runtime::op::op;
use fops_runtime::{
    AfterUnplug, Cause, DeviceLifetime, Errno, Op, PauseError, PollEvents, Request, Unplug, UnplugError, Unplugged,
    WaitError, WaitQueue,
};
#[cfg(feature = "async")]
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// A limit that is over at once, for pauses that are to fail.
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_section_waits_until_the_device_goes_on() {
    let _watchdog = watchdog("a_section_waits_until_the_device_goes_on");
    let lifetime = DeviceLifetime::new(AtomicU32::new(0));
    thread::scope(|s| {
        let paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        assert!(lifetime.is_paused());
        let (entered, has_entered) = mpsc::channel();
        let lifetime = &lifetime;
        s.spawn(move || entered.send(lifetime.enter(op!("read")).map(|hw| hw.load(SeqCst))).unwrap());
        assert!(has_entered.recv_timeout(SHORT).is_err(), "a section opened during the pause");
        paused.store(7, SeqCst);
        drop(paused);
        assert_eq!(has_entered.recv_timeout(DEADLINE).unwrap(), Ok(7));
        assert!(!lifetime.is_paused());
    });
}

#[test]
fn a_pause_waits_for_the_section_in_flight() {
    let _watchdog = watchdog("a_pause_waits_for_the_section_in_flight");
    let (lifetime, left) = (DeviceLifetime::new(()), AtomicBool::new(false));
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let (lifetime, left) = (&lifetime, &left);
        s.spawn(move || {
            let access = lifetime.enter(op!("ioctl")).unwrap();
            inside.send(()).unwrap();
            eventually("the pause", || lifetime.is_paused());
            left.store(true, SeqCst);
            drop(access);
        });
        is_inside.recv().unwrap();
        let _paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        assert!(left.load(SeqCst), "it was at work");
    });
}

#[test]
fn a_pause_that_is_late_names_the_stragglers_and_all_goes_on() {
    let device = Device::new();
    let access = device.lifetime.enter(op!("wedged")).unwrap();
    thread::scope(|s| {
        let pause = || device.lifetime.pause_for(op!("reset"), SHORT).err().unwrap();
        let error = s.spawn(pause).join().unwrap();
        let PauseError::Busy(stragglers) = &error else { panic!("{error}") };
        let [straggler] = stragglers[..] else { panic!("{error}") };
        assert_eq!(straggler.op().map(Op::name), Some("wedged"));
        assert!(straggler.waited().unwrap() >= SHORT);
        let text = error.to_string();
        assert!(text.contains("::wedged (") && text.contains("tests/pause.rs:"), "{text}");
        assert_eq!(Errno::from(error), Errno::EBUSY);
        assert!(!device.lifetime.is_paused());
        s.spawn(|| drop(device.lifetime.enter(op!("read")).unwrap())).join().unwrap();
    });
    drop(access);
    drop(device.lifetime.pause_for(op!("reset"), DEADLINE).unwrap());
}

#[test]
fn a_pause_from_inside_is_refused() {
    let lifetime = DeviceLifetime::new(());
    let access = lifetime.enter(op!("ioctl")).unwrap();
    assert!(matches!(lifetime.pause_for(op!("reset"), DEADLINE), Err(PauseError::Deadlock)));
    drop(access);
    let paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
    assert!(matches!(lifetime.pause_for(op!("reset"), DEADLINE), Err(PauseError::Deadlock)));
    // Its own sections go ahead, and it must not unplug what it pauses.
    drop(lifetime.enter(op!("hardware half")).unwrap());
    assert!(matches!(lifetime.alone().begin_unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
    drop(paused);
}

/// The outer section ends first, and the inner one is in a slot that the drain may have passed.
#[test]
fn a_section_inside_another_goes_ahead_and_is_waited_for() {
    let _watchdog = watchdog("a_section_inside_another_goes_ahead_and_is_waited_for");
    let (lifetime, left) = (DeviceLifetime::new(()), AtomicBool::new(false));
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let (lifetime, left) = (&lifetime, &left);
        s.spawn(move || {
            let other = lifetime.enter(op!("other")).unwrap();
            let outer = lifetime.enter(op!("outer")).unwrap();
            // Its slot comes before that of the outer one.
            drop(other);
            inside.send(()).unwrap();
            eventually("the pause", || lifetime.is_paused());
            // The drain sleeps on the outer one.
            thread::sleep(SHORT);
            let inner = lifetime.enter(op!("inner")).unwrap();
            drop(outer);
            thread::sleep(SHORT);
            left.store(true, SeqCst);
            drop(inner);
        });
        is_inside.recv().unwrap();
        let _paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        assert!(left.load(SeqCst), "the inner section was open");
    });
}

#[test]
fn a_sleeper_parks_and_asks_again_after_the_pause() {
    let _watchdog = watchdog("a_sleeper_parks_and_asks_again_after_the_pause");
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    let (frames, is_alone, asked_alone) = (AtomicU32::new(0), AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let access = lifetime.enter(op!("dqbuf")).unwrap();
            access.wait_event(&queue, || {
                asked_alone.fetch_or(is_alone.load(SeqCst), SeqCst);
                Some(frames.load(SeqCst)).filter(|&frames| frames > 0)
            })
        });
        eventually("the sleep", || queue.has_sleepers());
        for _ in 0..3 {
            let paused = lifetime.pause_for(op!("suspend"), DEADLINE).unwrap();
            is_alone.store(true, SeqCst);
            queue.wake_all();
            thread::sleep(Duration::from_millis(5));
            is_alone.store(false, SeqCst);
            drop(paused);
        }
        assert!(!asked_alone.load(SeqCst), "the condition was asked during the pause");
        assert!(!sleeper.is_finished());
        // What comes during a pause is seen after it.
        let paused = lifetime.pause_for(op!("suspend"), DEADLINE).unwrap();
        frames.store(2, SeqCst);
        queue.wake_all();
        drop(paused);
        assert_eq!(sleeper.join().unwrap(), Ok(2));
    });
}

/// It is inside the device, and sleeps for something else.
#[test]
fn a_thread_that_sleeps_for_no_device_parks_too() {
    let _watchdog = watchdog("a_thread_that_sleeps_for_no_device_parks_too");
    let (lifetime, queue, go) = (DeviceLifetime::new(()), WaitQueue::new(), AtomicBool::new(false));
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let _access = lifetime.enter(op!("read")).unwrap();
            queue.wait_event(None, || go.load(SeqCst).then_some(()))
        });
        eventually("the sleep", || queue.has_sleepers());
        let paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        go.store(true, SeqCst);
        queue.wake_all();
        drop(paused);
        assert_eq!(sleeper.join().unwrap(), Ok(Some(())));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_sleep_on_a_descriptor_parks_too() {
    use std::os::unix::net::UnixDatagram;
    let _watchdog = watchdog("a_sleep_on_a_descriptor_parks_too");
    let (lifetime, (ours, theirs)) = (DeviceLifetime::new(()), UnixDatagram::pair().unwrap());
    thread::scope(|s| {
        let (inside, is_inside) = mpsc::channel();
        let (lifetime, ours) = (&lifetime, &ours);
        let sleeper = s.spawn(move || {
            let access = lifetime.enter(op!("recv")).unwrap();
            inside.send(()).unwrap();
            access.wait_fd(ours, PollEvents::IN, None)
        });
        is_inside.recv().unwrap();
        let paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        theirs.send(b"frame").unwrap();
        thread::sleep(SHORT);
        assert!(!sleeper.is_finished(), "it went on during the pause");
        drop(paused);
        assert_eq!(sleeper.join().unwrap(), Ok(Some(PollEvents::IN)));
    });
}

/// One whose device is not paused sleeps inside a section of one that is.
#[test]
fn a_thread_parks_for_the_outer_device_too() {
    let _watchdog = watchdog("a_thread_parks_for_the_outer_device_too");
    let (outer, inner, queue) = (DeviceLifetime::new(()), DeviceLifetime::new(()), WaitQueue::new());
    thread::scope(|s| {
        let sleeper = s.spawn(|| {
            let _outer = outer.enter(op!("ioctl")).unwrap();
            inner.enter(op!("s_stream")).unwrap().wait_event(&queue, || None::<()>)
        });
        eventually("the sleep", || queue.has_sleepers());
        let paused = outer.pause_for(op!("reset"), DEADLINE).unwrap();
        // It is parked in both.
        drop(inner.pause_for(op!("reset"), DEADLINE).unwrap());
        drop(paused);
        inner.alone().unplug(Cause::Unbind).unwrap();
        assert_eq!(sleeper.join().unwrap(), Err(WaitError::Unplugged));
    });
}

#[test]
fn the_hardware_half_may_sleep() {
    let _watchdog = watchdog("the_hardware_half_may_sleep");
    let (lifetime, queue, done) = (DeviceLifetime::new(()), WaitQueue::new(), AtomicBool::new(false));
    let paused = lifetime.pause_for(op!("firmware update"), DEADLINE).unwrap();
    thread::scope(|s| {
        s.spawn(|| {
            eventually("the sleep", || queue.has_sleepers());
            done.store(true, SeqCst);
            queue.wake_all();
        });
        assert_eq!(paused.wait_event(&queue, || done.load(SeqCst).then_some(())), Ok(()));
    });
}

#[test]
fn a_caller_that_does_not_wait_gets_eagain_and_one_that_is_interrupted_eintr() {
    let _watchdog = watchdog("a_caller_that_does_not_wait_gets_eagain_and_one_that_is_interrupted_eintr");
    static RELEASE: Op = Op::always("Device", "release");
    let lifetime = DeviceLifetime::new(());
    let paused = lifetime.pause_for(op!("suspend"), DEADLINE).unwrap();
    thread::scope(|s| {
        let refused = s.spawn(|| Request::nonblocking(|| lifetime.enter(op!("read")).err().unwrap())).join().unwrap();
        assert_eq!(Errno::from(refused), Errno::EAGAIN);
        assert_ne!(refused, Unplugged);
        assert_eq!(refused.to_string(), "the device is paused, and the caller does not wait");
        assert_eq!(std::io::Error::from(refused).raw_os_error(), Some(Errno::EAGAIN.raw()));
        assert_eq!(<fops_runtime::Result<usize>>::refused(refused), Err(Errno::EAGAIN));
        assert_eq!(PollEvents::refused(refused), PollEvents::from_bits(0));
        assert_eq!(PollEvents::refused(Unplugged), PollEvents::after_unplug());
        let request = Request::new(None);
        let interrupted = s.spawn({
            let (request, lifetime) = (request.clone(), &lifetime);
            move || request.run(|| lifetime.enter(op!("read")).err().map(Errno::from))
        });
        request.interrupt();
        assert_eq!(interrupted.join().unwrap(), Some(Errno::EINTR));
        // Release waits, whatever its caller is like.
        let (released, is_released) = mpsc::channel();
        s.spawn({
            let lifetime = &lifetime;
            let release = move || released.send(lifetime.enter(&RELEASE).is_ok()).unwrap();
            move || request.run(|| Request::nonblocking(release))
        });
        assert!(is_released.recv_timeout(SHORT).is_err(), "release did not wait");
        drop(paused);
        assert_eq!(is_released.recv_timeout(DEADLINE), Ok(true));
    });
}

#[test]
fn unplug_ends_the_wait_for_a_pause_and_waits_for_the_pauser() {
    let _watchdog = watchdog("unplug_ends_the_wait_for_a_pause_and_waits_for_the_pauser");
    let (device, queue) = (Device::new(), WaitQueue::new());
    thread::scope(|s| {
        let parked = s.spawn(|| device.lifetime.enter(op!("dqbuf")).unwrap().wait_event(&queue, || None::<()>));
        eventually("the sleep", || queue.has_sleepers());
        let paused = device.lifetime.pause_for(op!("suspend"), DEADLINE).unwrap();
        let waits = s.spawn(|| device.lifetime.enter(op!("read")).err());
        thread::sleep(Duration::from_millis(5));
        let (done, is_done) = mpsc::channel();
        let remover = s.spawn({
            let device = &device;
            move || {
                let draining = device.begin_unplug(Cause::Unbind).unwrap().wait_for(SHORT).unwrap_err();
                done.send(draining.report().to_string()).unwrap();
                drop(draining.wait());
            }
        });
        assert_eq!(waits.join().unwrap(), Some(Unplugged));
        let report = is_done.recv_timeout(DEADLINE).unwrap();
        assert!(report.contains("::suspend (") && report.contains("::dqbuf ("), "{report}");
        assert!(paused.is_unplugged() && !parked.is_finished());
        drop(paused);
        assert_eq!(parked.join().unwrap(), Err(WaitError::Unplugged));
        remover.join().unwrap();
        assert!(matches!(device.lifetime.pause_for(op!("late"), DEADLINE), Err(PauseError::Unplugged)));
    });
}

#[test]
fn unplug_ends_a_pause_that_waits_for_sections() {
    let _watchdog = watchdog("unplug_ends_a_pause_that_waits_for_sections");
    let lifetime = DeviceLifetime::new(());
    thread::scope(|s| {
        let access = lifetime.enter(op!("wedged")).unwrap();
        let pause = s.spawn(|| lifetime.pause_for(op!("suspend"), Duration::MAX).err());
        eventually("the pause", || lifetime.is_paused());
        let remover = s.spawn(|| lifetime.alone().unplug(Cause::Unbind));
        assert!(matches!(pause.join().unwrap(), Some(PauseError::Unplugged)));
        drop(access);
        remover.join().unwrap().unwrap();
    });
}

#[test]
fn a_device_that_is_left_paused_is_taken_over_and_resumed() {
    let _watchdog = watchdog("a_device_that_is_left_paused_is_taken_over_and_resumed");
    let (lifetime, queue, go) = (DeviceLifetime::new(()), WaitQueue::new(), AtomicBool::new(false));
    thread::scope(|s| {
        let parked = s.spawn(|| {
            let access = lifetime.enter(op!("dqbuf")).unwrap();
            access.wait_event(&queue, || go.load(SeqCst).then_some(()))
        });
        eventually("the sleep", || queue.has_sleepers());
        lifetime.pause_for(op!("suspend"), DEADLINE).unwrap().keep();
        // A reset meanwhile leaves it as it was.
        drop(lifetime.pause_for(op!("reset"), DEADLINE).unwrap());
        assert!(lifetime.is_paused());
        let late = s.spawn(|| lifetime.enter(op!("read")).map(drop));
        go.store(true, SeqCst);
        queue.wake_all();
        thread::sleep(SHORT);
        assert!(!late.is_finished() && !parked.is_finished());
        lifetime.pause_for(op!("resume"), DEADLINE).unwrap().resume();
        assert_eq!(late.join().unwrap(), Ok(()));
        assert_eq!(parked.join().unwrap(), Ok(()));
    });
}

#[test]
fn unplug_does_not_wait_for_a_device_that_is_left_paused() {
    let _watchdog = watchdog("unplug_does_not_wait_for_a_device_that_is_left_paused");
    let (lifetime, queue) = (DeviceLifetime::new(()), WaitQueue::new());
    thread::scope(|s| {
        let parked = s.spawn(|| lifetime.enter(op!("dqbuf")).unwrap().wait_event(&queue, || None::<()>));
        eventually("the sleep", || queue.has_sleepers());
        lifetime.pause_for(op!("suspend"), DEADLINE).unwrap().keep();
        let waits = s.spawn(|| lifetime.enter(op!("read")).err());
        lifetime.alone().unplug(Cause::Unbind).unwrap();
        assert_eq!(waits.join().unwrap(), Some(Unplugged));
        assert_eq!(parked.join().unwrap(), Err(WaitError::Unplugged));
        assert!(!lifetime.is_paused());
    });
}

#[test]
fn two_pauses_come_one_after_the_other() {
    let _watchdog = watchdog("two_pauses_come_one_after_the_other");
    let lifetime = DeviceLifetime::new(());
    thread::scope(|s| {
        let first = lifetime.pause_for(op!("suspend"), DEADLINE).unwrap();
        let busy = s.spawn(|| lifetime.pause_for(op!("reset"), SHORT).err().unwrap()).join().unwrap();
        assert!(busy.to_string().contains("::suspend ("), "{busy}");
        let second = s.spawn(|| drop(lifetime.pause_for(op!("reset"), DEADLINE).unwrap()));
        thread::sleep(Duration::from_millis(5));
        assert!(!second.is_finished());
        drop(first);
        second.join().unwrap();
    });
    assert!(!lifetime.is_paused());
}

#[test]
fn a_pauser_that_panics_lets_the_device_go_on() {
    let lifetime = DeviceLifetime::new(());
    let panics = || {
        let _paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
        panic!("the hardware half");
    };
    catch_unwind(AssertUnwindSafe(panics)).unwrap_err();
    assert!(!lifetime.is_paused());
    thread::scope(|s| s.spawn(|| drop(lifetime.enter(op!("read")).unwrap())).join().unwrap());
}

/// Neither the thread that polls it sleeps, nor is its wake-up lost.
#[cfg(feature = "async")]
#[test]
fn a_task_is_pending_until_the_device_goes_on() {
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    let _watchdog = watchdog("a_task_is_pending_until_the_device_goes_on");
    let lifetime = Arc::new(DeviceLifetime::new(7));
    let section = || Box::pin(lifetime.section(op!("read"), async |access| *access));
    let (mut read, mut nonblocking, mut gone) = (section(), section(), section());
    let (mut cx, later) = (Context::from_waker(Waker::noop()), Duration::from_millis(5));
    thread::scope(|s| {
        let (paused, is_paused) = mpsc::channel();
        let (go_on, goes_on) = mpsc::channel::<()>();
        let pauser = &lifetime;
        s.spawn(move || {
            let guard = pauser.pause_for(op!("reset"), DEADLINE).unwrap();
            paused.send(()).unwrap();
            goes_on.recv().unwrap();
            thread::sleep(later);
            guard.keep();
            pauser.pause_for(op!("resume"), DEADLINE).unwrap().resume();
        });
        is_paused.recv().unwrap();
        assert_eq!(read.as_mut().poll(&mut cx), Poll::Pending);
        let refused = Request::nonblocking(|| nonblocking.as_mut().poll(&mut cx));
        assert!(matches!(refused, Poll::Ready(Err(why)) if Errno::from(why) == Errno::EAGAIN));
        go_on.send(()).unwrap();
        assert_eq!(futures_executor::block_on(read), Ok(7));
    });
    lifetime.pause_for(op!("suspend"), DEADLINE).unwrap().keep();
    assert_eq!(gone.as_mut().poll(&mut cx), Poll::Pending);
    thread::scope(|s| {
        s.spawn(|| {
            thread::sleep(later);
            lifetime.alone().unplug(Cause::Unbind).unwrap()
        });
        assert_eq!(futures_executor::block_on(gone), Err(Unplugged));
    });
}

/// Many short operations, nested and asleep, against many pauses: nobody is at work with the hardware half.
#[test]
fn nobody_is_at_work_during_a_pause() {
    let _watchdog = watchdog("nobody_is_at_work_during_a_pause");
    let (lifetime, queue) = (DeviceLifetime::new(AtomicU32::new(0)), WaitQueue::new());
    let (ends, turn) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|s| {
        for worker in 0..4 {
            let (lifetime, queue, ends, turn) = (&lifetime, &queue, &ends, &turn);
            s.spawn(move || {
                while !ends.load(SeqCst) {
                    let outer = lifetime.enter(op!("outer")).unwrap();
                    assert_eq!(outer.load(SeqCst), 0, "the hardware half is at work");
                    let inner = lifetime.enter(op!("inner")).unwrap();
                    drop(outer);
                    if worker % 2 == 0 {
                        let before = turn.load(SeqCst);
                        inner
                            .wait_event(queue, || {
                                assert_eq!(inner.load(SeqCst), 0, "the hardware half is at work");
                                (turn.load(SeqCst) != before || ends.load(SeqCst)).then_some(())
                            })
                            .unwrap();
                    }
                    assert_eq!(inner.load(SeqCst), 0, "the hardware half is at work");
                }
            });
        }
        for _ in 0..common::rounds(2000) {
            let paused = lifetime.pause_for(op!("reset"), DEADLINE).unwrap();
            paused.store(1, SeqCst);
            turn.fetch_add(1, SeqCst);
            queue.wake_all();
            paused.store(0, SeqCst);
            drop(paused);
            turn.fetch_add(1, SeqCst);
            queue.wake_all();
        }
        ends.store(true, SeqCst);
        queue.wake_all();
    });
}
