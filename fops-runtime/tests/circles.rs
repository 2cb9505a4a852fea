//! An unplug that would close a circle is refused before anything hangs, and names both ends.
#![cfg(feature = "std")]
use fops_runtime::op::op;
use fops_runtime::{Cause, Circle, DeviceLifetime, Errno, Op, Unplug, UnplugError, Work};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

type Device = DeviceLifetime<&'static str>;

const DEADLINE: Duration = Duration::from_secs(60);

fn circle<T>(answer: Result<T, UnplugError>) -> Circle {
    match answer {
        Err(UnplugError::Deadlock(circle)) => circle,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

fn op_of(work: Work) -> &'static Op {
    match work {
        Work::Section(op) => op,
        other => panic!("{other}"),
    }
}

/// A thread that stays inside `inside`, and has begun to unplug `unplugs`, until the test lets it go on.
fn remover<'s, 'd>(
    s: &'s thread::Scope<'s, 'd>,
    inside: &'d Device,
    unplugs: &'d Device,
    op: &'static Op,
) -> (mpsc::Sender<()>, thread::ScopedJoinHandle<'s, &'static str>) {
    let (go, gone) = mpsc::channel();
    let (ready, is_ready) = mpsc::channel();
    let thread = s.spawn(move || {
        let access = inside.enter(op).unwrap();
        let unplugs = unplugs.alone();
        let draining = unplugs.begin_unplug(Cause::Unbind).unwrap();
        ready.send(()).unwrap();
        gone.recv_timeout(DEADLINE).expect("the test has ended");
        drop(access);
        draining.wait()
    });
    is_ready.recv_timeout(DEADLINE).expect("it has begun");
    (go, thread)
}

/// A thread that stays inside `inside`, and waits there for the role of `unplugs`.
fn waits_for_the_role<'s, 'd>(
    s: &'s thread::Scope<'s, 'd>,
    inside: &'d Device,
    unplugs: &'d Device,
) -> thread::ScopedJoinHandle<'s, Result<&'static str, UnplugError>> {
    let thread = s.spawn(|| {
        let _access = inside.enter(op!("s_stream")).unwrap();
        unplugs.alone().unplug(Cause::Unbind)
    });
    until_one_waits(unplugs);
    thread
}

fn until_one_waits(device: &Device) {
    let deadline = Instant::now() + DEADLINE;
    while !device.report().to_string().contains("the remover's role") {
        assert!(Instant::now() < deadline, "{}", device.report());
        thread::yield_now();
    }
}

#[test]
fn two_operations_that_unplug_each_others_devices() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let mine = csi2.enter(op!("s_stream")).unwrap();
        let (go, other) = remover(s, &vin, &csi2, op!("ioctl"));
        let error = vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE).map(drop).unwrap_err();
        let circle = circle(Err::<(), _>(error));
        assert_eq!(op_of(circle.waits_for()).name(), "ioctl");
        assert_eq!(op_of(circle.blocked_by()).name(), "s_stream");
        assert_ne!(circle.thread(), 0);
        let text = error.to_string();
        for part in
            ["circles::ioctl (fops-runtime/tests/circles.rs:", "circles::s_stream (fops-runtime/tests/circles.rs:"]
        {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(Errno::from(error), Errno::EDEADLK);
        // It was refused before the flag, and the other one goes on.
        assert!(!vin.is_unplugged());
        drop(mine);
        go.send(()).unwrap();
        assert_eq!(other.join().unwrap(), "csi2");
    });
    assert_eq!(vin.alone().unplug(Cause::Unbind), Ok("vin"));
}

#[test]
fn a_circle_of_many() {
    let devices: [Device; 5] = ["a", "b", "c", "d", "e"].map(Device::new);
    thread::scope(|s| {
        let mine = devices[4].enter(op!("last")).unwrap();
        let ops = [op!("first"), op!("second"), op!("third"), op!("fourth")];
        // From the end: a device that is being unplugged lets nobody in.
        let others: Vec<_> = [3, 2, 1, 0].map(|at| remover(s, &devices[at], &devices[at + 1], ops[at])).into();
        let circle = circle(devices[0].alone().begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!((op_of(circle.waits_for()).name(), op_of(circle.blocked_by()).name()), ("first", "last"));
        drop(mine);
        others.iter().for_each(|(go, _)| go.send(()).unwrap());
        assert!(others.into_iter().all(|(_, other)| other.join().is_ok()));
    });
    assert_eq!(devices[0].alone().unplug(Cause::Unbind), Ok("a"));
}

/// The other one waits for the section of this thread, and has the role that this thread asks for.
#[test]
fn a_remover_that_waits_for_the_section_of_who_waits_for_it() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let mine = csi2.enter(op!("s_stream")).unwrap();
        let (ready, is_ready) = mpsc::channel();
        let (vin, csi2) = (&vin, &csi2);
        let other = s.spawn(move || {
            let both = (vin.alone(), csi2.alone());
            let draining = both.begin_unplug(Cause::Unbind).unwrap();
            ready.send(()).unwrap();
            draining.wait()
        });
        is_ready.recv_timeout(DEADLINE).unwrap();
        let circle = circle(vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!(circle.waits_for(), Work::Role(vin.id()));
        assert_eq!(op_of(circle.blocked_by()).name(), "s_stream");
        drop(mine);
        assert_eq!(other.join().unwrap(), ("vin", "csi2"));
    });
}

/// The role that this thread has keeps an operation waiting which it would wait for.
#[test]
fn a_role_that_this_thread_has() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let alone = vin.alone();
        let draining = alone.begin_unplug(Cause::Unbind).unwrap();
        let inside = waits_for_the_role(s, &csi2, &vin);
        let circle = circle(csi2.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!(op_of(circle.waits_for()).name(), "s_stream");
        assert_eq!(circle.blocked_by(), Work::Role(vin.id()));
        assert_eq!(draining.wait(), "vin");
        assert_eq!(inside.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
    });
    assert_eq!(csi2.alone().unplug(Cause::Unbind), Ok("csi2"));
}

/// The one that has the role waits in another unplug, of a device that this thread keeps.
#[test]
fn a_remover_that_waits_in_another_unplug() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let mine = csi2.enter(op!("s_stream")).unwrap();
        let (ready, is_ready) = mpsc::channel();
        let (vin, csi2) = (&vin, &csi2);
        let other = s.spawn(move || {
            let (vin, csi2) = (vin.alone(), csi2.alone());
            let outer = vin.begin_unplug(Cause::Unbind).unwrap();
            let inner = csi2.begin_unplug(Cause::Unbind).unwrap();
            ready.send(()).unwrap();
            (inner.wait(), outer.wait())
        });
        is_ready.recv_timeout(DEADLINE).unwrap();
        let circle = circle(vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!(circle.waits_for(), Work::Role(vin.id()));
        assert_eq!(op_of(circle.blocked_by()).name(), "s_stream");
        drop(mine);
        assert_eq!(other.join().unwrap(), ("csi2", "vin"));
    });
}

/// Threads that wait for each other in one direction only.
#[test]
fn chains_are_no_circles() {
    let [vin, csi2, sensor, free] = ["vin", "csi2", "sensor", "free"].map(Device::new);
    thread::scope(|s| {
        let (go, first) = remover(s, &vin, &csi2, op!("ioctl"));
        let (go_2, second) = remover(s, &free, &sensor, op!("read"));
        let (ready, is_ready) = mpsc::channel();
        let vin = &vin;
        let third = s.spawn(move || {
            let alone = vin.alone();
            let draining = alone.begin_unplug(Cause::Removal).unwrap();
            ready.send(()).unwrap();
            draining.wait()
        });
        is_ready.recv_timeout(DEADLINE).unwrap();
        go.send(()).unwrap();
        go_2.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "csi2");
        assert_eq!(second.join().unwrap(), "sensor");
        assert_eq!(third.join().unwrap(), "vin");
    });
}

/// Of an operation that waits for the role of a device, and an unplug of that device which would wait for the operation,
/// either may get the role first.
#[test]
fn an_operation_that_waits_for_a_role_which_this_thread_may_get_first() {
    let [vin, csi2, free] = ["vin", "csi2", "free"].map(Device::new);
    thread::scope(|s| {
        let (go, first) = remover(s, &free, &vin, op!("read"));
        let inside = waits_for_the_role(s, &csi2, &vin);
        let circle = circle((vin.alone(), csi2.alone()).begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!(op_of(circle.waits_for()).name(), "s_stream");
        assert_eq!(circle.blocked_by(), Work::Role(vin.id()));
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "vin");
        assert_eq!(inside.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
    });
}

/// The same, with the operation as the last one.
#[test]
fn an_unplug_that_waits_for_a_role_and_may_get_it_first() {
    let [vin, csi2, free] = ["vin", "csi2", "free"].map(Device::new);
    thread::scope(|s| {
        let (go, first) = remover(s, &free, &vin, op!("read"));
        let mine = csi2.enter(op!("s_stream")).unwrap();
        let both = s.spawn(|| (vin.alone(), csi2.alone()).unplug(Cause::Unbind));
        until_one_waits(&vin);
        let circle = circle(vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
        assert_eq!(op_of(circle.blocked_by()).name(), "s_stream");
        drop(mine);
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "vin");
        assert_eq!(both.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
    });
}

/// They wait for one role, and none of them has another.
#[test]
fn those_who_wait_for_one_device_are_no_circle() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let (go, first) = remover(s, &csi2, &vin, op!("ioctl"));
        let others = [(); 3].map(|()| s.spawn(|| vin.alone().unplug(Cause::Unbind)));
        until_one_waits(&vin);
        let alone = vin.alone();
        let answer = alone.begin_unplug_for(Cause::Unbind, Duration::from_millis(1));
        assert_eq!(answer.map(drop), Err(UnplugError::Busy));
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "vin");
        for other in others {
            assert_eq!(other.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
        }
    });
}

/// One that waits for a role of this thread has no other, because it takes all or none.
#[test]
fn who_waits_for_this_thread_is_not_waited_for() {
    let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
    thread::scope(|s| {
        let (alone, other) = (vin.alone(), csi2.alone());
        let held = alone.begin_unplug(Cause::Unbind).unwrap();
        let both = s.spawn(|| (vin.alone(), csi2.alone()).unplug(Cause::Unbind));
        until_one_waits(&vin);
        assert_eq!(other.begin_unplug_for(Cause::Unbind, DEADLINE).unwrap().wait(), "csi2");
        assert_eq!(held.wait(), "vin");
        assert_eq!(both.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
    });
}

/// The other one has a role that this thread would need, so this thread cannot get the other role before it.
#[test]
fn who_has_one_role_gets_the_other_first() {
    let [vin, csi2, free] = ["vin", "csi2", "free"].map(Device::new);
    thread::scope(|s| {
        let (go, first) = remover(s, &free, &csi2, op!("read"));
        let (vin, csi2) = (&vin, &csi2);
        let has_one = s.spawn(move || {
            let alone = vin.alone();
            let held = alone.begin_unplug(Cause::Unbind).unwrap();
            let other = csi2.alone().unplug(Cause::Unbind);
            (other, held.wait())
        });
        until_one_waits(csi2);
        let both = (vin.alone(), csi2.alone());
        let answer = both.begin_unplug_for(Cause::Unbind, Duration::from_millis(1));
        assert_eq!(answer.map(drop), Err(UnplugError::Busy));
        go.send(()).unwrap();
        assert_eq!(first.join().unwrap(), "csi2");
        assert_eq!(has_one.join().unwrap(), (Err(UnplugError::AlreadyUnplugged), "vin"));
    });
}

/// Whoever comes last is refused, whichever that is, and nobody else.
#[test]
fn one_of_two_is_refused() {
    let mut refused = [0; 2];
    for _ in 0..2_000 {
        let devices = [Device::new("a"), Device::new("b")];
        let (both_inside, both_asked) = (Barrier::new(2), Barrier::new(2));
        let unplug = |mine: usize| {
            let access = devices[mine].enter(op!("ioctl")).unwrap();
            both_inside.wait();
            let other = devices[1 - mine].alone();
            let answer = other.begin_unplug(Cause::Unbind);
            both_asked.wait();
            drop(access);
            matches!(answer, Err(UnplugError::Deadlock(_)))
        };
        let answers = thread::scope(|s| {
            let other = s.spawn(|| unplug(1));
            [unplug(0), other.join().unwrap()]
        });
        assert_ne!(answers[0], answers[1], "both, or none");
        answers.iter().zip(&mut refused).for_each(|(&was, count)| *count += usize::from(was));
    }
    println!("refused: {refused:?}");
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use fops_runtime::UnplugAsync;
    use std::future::Future;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Waker};

    fn is_ready(task: std::pin::Pin<&mut impl Future>) -> bool {
        task.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    /// The thread that polled a task last is the one that would have to go on.
    #[test]
    fn a_task_that_has_moved_to_this_thread() {
        let (vin, csi2) = (Device::new("vin"), Arc::new(Device::new("csi2")));
        let alone = csi2.alone();
        thread::scope(|s| {
            let busy = csi2.enter_owned(op!("read")).unwrap();
            let elsewhere = s.spawn(|| futures_executor::block_on(alone.begin_unplug_async(Cause::Unbind)).unwrap());
            let mut draining = pin!(elsewhere.join().unwrap());
            assert!(!is_ready(draining.as_mut()));
            let inside = waits_for_the_role(s, &vin, &csi2);
            let circle = circle(vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
            assert_eq!(circle.blocked_by(), Work::Role(csi2.id()));
            drop(busy);
            assert!(is_ready(draining));
            assert_eq!(inside.join().unwrap(), Err(UnplugError::AlreadyUnplugged));
        });
    }

    /// A task waits for all its devices, whoever polls it.
    #[test]
    fn a_task_that_unplugs_both() {
        let both = [Device::new("vin"), Device::new("csi2")];
        let [vin, csi2] = &both;
        let alone = (vin.alone(), csi2.alone());
        thread::scope(|s| {
            let mine = csi2.enter(op!("s_stream")).unwrap();
            let elsewhere = s.spawn(|| futures_executor::block_on(alone.begin_unplug_async(Cause::Unbind)).unwrap());
            let draining = elsewhere.join().unwrap();
            let circle = circle(vin.alone().begin_unplug_for(Cause::Unbind, DEADLINE));
            assert_eq!((circle.waits_for(), circle.thread()), (Work::Role(vin.id()), 0));
            assert_eq!(op_of(circle.blocked_by()).name(), "s_stream");
            drop(mine);
            assert!(is_ready(pin!(draining)));
        });
    }

    /// A thread that polls a task goes on when the task waits.
    #[test]
    fn a_task_keeps_no_thread() {
        let (vin, csi2) = (Device::new("vin"), Device::new("csi2"));
        let alone = csi2.alone();
        thread::scope(|s| {
            let mine = csi2.enter(op!("s_stream")).unwrap();
            let (go, gone) = mpsc::channel();
            let (ready, is_inside) = mpsc::channel();
            let (vin, alone) = (&vin, &alone);
            let polls = s.spawn(move || {
                let access = vin.enter(op!("ioctl")).unwrap();
                let draining = futures_executor::block_on(alone.begin_unplug_async(Cause::Unbind)).unwrap();
                ready.send(()).unwrap();
                gone.recv_timeout(DEADLINE).unwrap();
                drop(access);
                draining
            });
            is_inside.recv_timeout(DEADLINE).unwrap();
            let other = vin.alone();
            let unplug = other.begin_unplug(Cause::Unbind).expect("the thread leaves vin without csi2");
            go.send(()).unwrap();
            assert_eq!(unplug.wait(), "vin");
            drop(mine);
            assert!(is_ready(pin!(polls.join().unwrap())));
        });
    }
}
