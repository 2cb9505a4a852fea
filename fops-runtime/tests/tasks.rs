//! Unplug, sections and waiting for unplug as futures, on two executors.
#![cfg(feature = "async")]
mod common;

use common::{DEADLINE, Device};
use fops_runtime::op::op;
use fops_runtime::{Cause, DeviceLifetime, DrainingAsync, OwnedAccess, Unplug, UnplugAsync, UnplugError, Unplugged};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};
use std::thread;
use tokio::sync::oneshot;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a test knows of its executor.
#[derive(Clone)]
struct Executor(Arc<dyn Fn(Task) + Send + Sync>);

impl Executor {
    /// Runs a task beside the test's own. What it returns comes through the receiver.
    fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> oneshot::Receiver<T> {
        let (done, result) = oneshot::channel();
        (self.0)(Box::pin(async move { drop(done.send(task.await)) }));
        result
    }
}

/// Runs the test on each executor, and fails where one does not come to an end.
fn on_each_executor<F: Future<Output = ()> + Send + 'static>(test: impl Fn(Executor) -> F + Send + Sync + 'static) {
    let test = Arc::new(test);
    for name in ["tokio, one thread", "tokio, many threads", "futures, a pool"] {
        let (test, (done, is_done)) = (test.clone(), mpsc::channel());
        let runner = thread::spawn(move || {
            if name == "futures, a pool" {
                let pool = futures_executor::ThreadPool::builder().pool_size(2).create().unwrap();
                let spawner = pool.clone();
                futures_executor::block_on(test(Executor(Arc::new(move |task| spawner.spawn_ok(task)))));
            } else {
                let runtime = if name == "tokio, one thread" {
                    tokio::runtime::Builder::new_current_thread().build()
                } else {
                    tokio::runtime::Builder::new_multi_thread().worker_threads(2).build()
                };
                let runtime = runtime.unwrap();
                let handle = runtime.handle().clone();
                runtime.block_on(test(Executor(Arc::new(move |task| drop(handle.spawn(task))))));
            }
            done.send(()).unwrap();
        });
        if is_done.recv_timeout(DEADLINE).is_err() {
            assert!(runner.is_finished(), "{name}: the test hangs");
            runner.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    }
}

fn lifetime() -> Arc<DeviceLifetime<u32>> {
    Arc::new(DeviceLifetime::new(5))
}

fn poll_once<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the other tasks of the executor run.
async fn pause() {
    let mut first = true;
    std::future::poll_fn(|cx| {
        if std::mem::take(&mut first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        pause().await;
    }
}

#[test]
fn unplugged_resolves_when_unplug_begins() {
    on_each_executor(|executor| async move {
        let lifetime = lifetime();
        let access = lifetime.enter_owned(op!("busy")).unwrap();
        let waiters: Vec<_> = (0..10)
            .map(|_| {
                let lifetime = lifetime.clone();
                executor.spawn(async move { lifetime.until_unplugged().await })
            })
            .collect();
        pause().await;
        // The drain lasts until every waiter has been told.
        let remover = {
            let lifetime = lifetime.clone();
            executor.spawn(async move { lifetime.alone().unplug_async(Cause::Unbind).await })
        };
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert!(access.is_unplugged());
        access.until_unplugged().await; // at once
        drop(access);
        assert_eq!(remover.await.unwrap(), Ok(5));
    });
}

#[test]
fn a_future_of_unplug_that_is_dropped_leaves_nothing_behind() {
    let lifetime = lifetime();
    {
        let mut waiting = pin!(lifetime.until_unplugged());
        assert!(poll_once(waiting.as_mut()).is_pending());
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
    assert_eq!(Arc::strong_count(&lifetime), 1);
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
}

#[test]
fn the_drain_blocks_no_thread() {
    on_each_executor(|executor| async move {
        let lifetime = lifetime();
        let (leave, wait_leave) = oneshot::channel::<()>();
        let (inside, is_inside) = oneshot::channel();
        let section = executor.spawn(lifetime.section(op!("read"), async move |access| {
            inside.send(()).unwrap();
            wait_leave.await.unwrap();
            *access
        }));
        is_inside.await.unwrap();
        let draining = lifetime.alone().begin_unplug_async(Cause::Unbind).await.unwrap();
        assert!(draining.report().to_string().contains("read"));
        let other = lifetime.clone();
        let remover = executor.spawn(async move { other.alone().unplug_async(Cause::Removal).await });
        pause().await;
        leave.send(()).unwrap();
        // On one thread, the section could not end if the drain held it.
        assert_eq!(draining.await, 5);
        assert_eq!(section.await.unwrap(), Ok(5));
        assert_eq!(remover.await.unwrap(), Err(UnplugError::AlreadyUnplugged));
        assert_eq!(lifetime.cause(), Some(Cause::Removal));
    });
}

#[test]
fn the_last_exit_of_a_thread_wakes_the_task() {
    on_each_executor(|executor| async move {
        let device = Arc::new(Device::new());
        let (inside, is_inside) = oneshot::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let thread = {
            let device = device.clone();
            thread::spawn(move || {
                let access = device.lifetime.enter(op!("ioctl")).unwrap();
                inside.send(()).unwrap();
                wait_leave.recv_timeout(DEADLINE).unwrap();
                assert_eq!(access.0.load(SeqCst), 0, "freed under an open section");
            })
        };
        is_inside.await.unwrap();
        let remover = {
            let device = device.clone();
            executor.spawn(async move { drop(device.unplug_async(Cause::Unbind).await.unwrap()) })
        };
        until(|| device.lifetime.is_unplugged()).await;
        leave.send(()).unwrap();
        remover.await.unwrap();
        thread.join().unwrap();
        assert_eq!((device.drops(), device.stops.lock().unwrap().len()), (1, 1));
    });
}

#[test]
fn a_section_opens_at_its_first_poll() {
    let lifetime = lifetime();
    let mut section = pin!(lifetime.section(op!("read"), async |access| {
        std::future::pending::<()>().await;
        *access
    }));
    {
        let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
        assert_eq!(draining.report().stragglers().count(), 0);
    }
    assert_eq!(poll_once(section.as_mut()), Poll::Ready(Err(Unplugged)));
    lifetime.alone().begin_unplug(Cause::Unbind).unwrap().wait();
}

/// Says when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

#[test]
fn a_section_is_cooperative() {
    on_each_executor(|executor| async move {
        let (lifetime, (inside, is_inside)) = (lifetime(), oneshot::channel());
        let section = executor.spawn(lifetime.section(op!("read"), async move |access| {
            inside.send(()).unwrap();
            access.until_unplugged().await;
            // It is not dropped at any of these, and is waited for.
            for _ in 0..100 {
                pause().await;
            }
            *access
        }));
        is_inside.await.unwrap();
        assert_eq!(lifetime.alone().unplug_async(Cause::Unbind).await, Ok(5));
        assert_eq!(section.await.unwrap(), Ok(5));
    });
}

#[test]
fn a_section_may_opt_into_being_dropped() {
    on_each_executor(|executor| async move {
        let (lifetime, drops, (inside, is_inside)) = (lifetime(), Arc::default(), oneshot::channel());
        let dropped = Dropped(Arc::clone(&drops));
        let section = lifetime.section(op!("read"), async move |access| {
            let _in_body = dropped;
            inside.send(()).unwrap();
            std::future::pending::<()>().await;
            *access
        });
        let section = executor.spawn(section.cancel_on_unplug());
        is_inside.await.unwrap();
        assert_eq!(lifetime.alone().unplug_async(Cause::Unbind).await, Ok(5));
        assert_eq!(section.await.unwrap(), Err(Unplugged));
        assert_eq!(drops.load(SeqCst), 1);
    });
}

#[test]
fn a_result_that_is_ready_is_not_lost_to_a_cancellation() {
    let lifetime = lifetime();
    let (finish, finished) = oneshot::channel();
    let section = lifetime.section(op!("read"), async |_access| finished.await.unwrap());
    let mut section = pin!(section.cancel_on_unplug());
    assert!(poll_once(section.as_mut()).is_pending());
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    finish.send(7).unwrap();
    assert_eq!(poll_once(section.as_mut()), Poll::Ready(Ok(7)));
    assert_eq!(draining.wait(), 5);
}

#[test]
fn who_gives_the_role_up_is_followed_by_the_next() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    on_each_executor(|executor| async move {
        let device: &'static Device = Box::leak(Box::new(Device::new()));
        let (inside, is_inside) = oneshot::channel();
        let (leave, wait_leave) = mpsc::channel::<()>();
        let section = thread::spawn(move || {
            let _access = device.lifetime.enter(op!("ioctl")).unwrap();
            inside.send(()).unwrap();
            wait_leave.recv_timeout(DEADLINE).unwrap();
        });
        is_inside.await.unwrap();
        let first: DrainingAsync<'_, _> = assert_send(device.begin_unplug_async(Cause::Unbind)).await.unwrap();
        let second = executor.spawn(async move { device.unplug_async(Cause::Unbind).await.unwrap() });
        pause().await;
        let mut first = assert_send(first);
        assert!(poll_once(pin!(&mut first)).is_pending());
        // Another thread may go on with it.
        let first = thread::spawn(move || {
            assert!(poll_once(pin!(&mut first)).is_pending());
            first
        });
        drop(first.join().unwrap());
        assert!(device.lifetime.is_unplugged());
        leave.send(()).unwrap();
        drop(second.await.unwrap());
        section.join().unwrap();
        assert_eq!((device.drops(), device.stops.lock().unwrap().len()), (1, 1));
    });
}

#[test]
fn a_thread_and_a_task_wait_for_each_other() {
    on_each_executor(|_| async move {
        let lifetime = lifetime();
        let draining = lifetime.alone().begin_unplug_async(Cause::Unbind).await.unwrap();
        let thread = {
            let lifetime = lifetime.clone();
            thread::spawn(move || lifetime.alone().begin_unplug(Cause::Unbind).map(fops_runtime::Draining::wait))
        };
        drop(draining);
        let second = lifetime.alone().unplug_async(Cause::Unbind).await;
        let mut results = [thread.join().unwrap(), second];
        results.sort_by_key(Result::is_err);
        assert_eq!(results, [Ok(5), Err(UnplugError::AlreadyUnplugged)]);
    });
}

#[test]
fn the_wake_hook_is_called_again_until_the_section_ends() {
    on_each_executor(|_| async move {
        let (wake, sleep) = mpsc::channel();
        let mut device = Device::new();
        device.on_wake = Some(Box::new(move |device| {
            if device.wakes.load(SeqCst) == 4 {
                wake.send(()).unwrap();
            }
        }));
        let device: &'static Device = Box::leak(Box::new(device));
        let (inside, is_inside) = oneshot::channel();
        let sleeper = thread::spawn(move || {
            let _access = device.lifetime.enter(op!("read")).unwrap();
            inside.send(()).unwrap();
            sleep.recv_timeout(DEADLINE).expect("nobody wakes it");
        });
        is_inside.await.unwrap();
        drop(device.unplug_async(Cause::Unbind).await.unwrap());
        sleeper.join().unwrap();
    });
}

#[test]
fn a_hook_that_unplugs_and_a_task_inside_are_told() {
    on_each_executor(|_| async move {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let mut device = Device::new();
        device.on_stop = Some(Box::new({
            let answers = answers.clone();
            move |device| {
                let answer = pin!(device.unplug_async(Cause::Unbind));
                let answer = poll_once(answer).map(|answer| answer.err());
                answers.lock().unwrap().push(answer);
            }
        }));
        {
            let access = device.lifetime.enter(op!("ioctl")).unwrap();
            let mut unplug = pin!(device.unplug_async(Cause::Unbind));
            assert!(matches!(poll_once(unplug.as_mut()), Poll::Ready(Err(UnplugError::Deadlock(_)))));
            assert!(!access.is_unplugged());
        }
        drop(device.unplug_async(Cause::Unbind).await.unwrap());
        assert!(matches!(answers.lock().unwrap()[..], [Poll::Ready(Some(UnplugError::Deadlock(_)))]));
    });
}

#[test]
fn the_last_exit_is_never_missed() {
    let rounds = if std::env::var_os("FOPS_QUICK").is_some() { 2_000 } else { 50_000 };
    let (done, is_done) = mpsc::channel();
    let runner = thread::spawn(move || {
        let (start, slot) = (Barrier::new(2), Mutex::new(None::<OwnedAccess<u32>>));
        thread::scope(|s| {
            s.spawn(|| {
                for _ in 0..rounds {
                    start.wait();
                    drop(slot.lock().unwrap().take());
                }
            });
            for round in 0..rounds {
                let lifetime = lifetime();
                *slot.lock().unwrap() = Some(lifetime.enter_owned(op!("transfer")).unwrap());
                let unplug = async {
                    let draining = lifetime.alone().begin_unplug_async(Cause::Unbind).await.unwrap();
                    start.wait();
                    // Now before, now after the exit.
                    (0..round % 64).for_each(|_| std::hint::spin_loop());
                    draining.await
                };
                assert_eq!(futures_executor::block_on(unplug), 5);
            }
        });
        done.send(()).unwrap();
    });
    is_done.recv_timeout(DEADLINE).expect("a task sleeps for ever");
    runner.join().unwrap();
}

#[test]
fn a_task_that_waits_no_more_leaves_nothing_behind() {
    struct Nobody;
    impl std::task::Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    let (lifetime, nobody) = (lifetime(), Arc::new(Nobody));
    let waker = Waker::from(nobody.clone());
    let mut unplugged = Box::pin(lifetime.until_unplugged());
    assert_eq!(unplugged.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!(Arc::strong_count(&nobody), 3, "the waker that is waited with");
    drop(unplugged);
    assert_eq!(Arc::strong_count(&nobody), 2);
    // As a task that unplugs, and is dropped.
    let access = lifetime.enter_owned(op!("straggler")).unwrap();
    let mut draining = Box::pin(lifetime.alone().unplug_async(Cause::Unbind));
    assert_eq!(draining.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    assert_eq!(Arc::strong_count(&nobody), 3);
    drop(draining);
    assert_eq!(Arc::strong_count(&nobody), 2);
    drop(access);
}

/// An executor that polls where it is woken.
struct Inline(Mutex<Option<Task>>);

impl Inline {
    fn run(self: &Arc<Self>) {
        let Ok(mut task) = self.0.try_lock() else { return };
        let waker = Waker::from(self.clone());
        if task.as_mut().is_some_and(|task| task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()) {
            *task = None;
        }
    }
}

impl std::task::Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.run();
    }
}

/// The thread that wakes it is the remover: its signal polls the task, which goes on waiting.
#[test]
fn a_task_that_is_polled_where_it_is_woken_waits_for_the_role() {
    let lifetime = Arc::new(DeviceLifetime::new(5));
    let access = lifetime.enter_owned(op!("transfer")).unwrap();
    let draining = lifetime.alone().begin_unplug(Cause::Unbind).unwrap();
    let (answer, answers) = mpsc::channel();
    let waits = lifetime.clone();
    let unplug = async move { answer.send(waits.alone().unplug_async(Cause::Removal).await).unwrap() };
    let task = Arc::new(Inline(Mutex::new(Some(Box::pin(unplug)))));
    let first = task.clone();
    thread::spawn(move || first.run()).join().unwrap();
    // A section ends on the remover's thread.
    drop(access);
    assert_eq!(answers.try_recv(), Err(mpsc::TryRecvError::Empty));
    assert_eq!(draining.wait(), 5);
    assert_eq!(answers.try_recv(), Ok(Err(UnplugError::AlreadyUnplugged)));
}

#[test]
fn a_blocking_unplug_on_the_thread_that_polls_the_drain_is_refused() {
    let lifetime = DeviceLifetime::new(5);
    let device = lifetime.alone();
    let mut cx = Context::from_waker(Waker::noop());
    let mut begin = pin!(device.begin_unplug_async(Cause::Unbind));
    let Poll::Ready(Ok(draining)) = begin.as_mut().poll(&mut cx) else { panic!("nobody else has the role") };
    assert!(matches!(device.unplug(Cause::Unbind), Err(UnplugError::Deadlock(_))));
    // Another task of the thread just waits.
    let mut second = pin!(device.begin_unplug_async(Cause::Unbind));
    assert!(second.as_mut().poll(&mut cx).is_pending());
    thread::scope(|s| {
        let other = s.spawn(|| device.unplug(Cause::Unbind));
        let role = format!("the remover's role of device {}, a task", lifetime.id());
        common::eventually("it waits, and says for whom", || lifetime.report().to_string().contains(&role));
        drop(draining);
        assert_eq!(other.join().unwrap(), Ok(5));
    });
}

/// It is lost for ever; whoever waits for it is told so.
#[test]
fn a_drain_that_was_forgotten_is_in_the_report() {
    let lifetime: &'static DeviceLifetime<u32> = Box::leak(Box::new(DeviceLifetime::new(5)));
    std::mem::forget(futures_executor::block_on(lifetime.alone().begin_unplug_async(Cause::Unbind)).unwrap());
    thread::spawn(|| lifetime.alone().unplug(Cause::Unbind));
    common::eventually("the role is named", || lifetime.report().to_string().contains("the remover's role"));
}
