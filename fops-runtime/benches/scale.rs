//! What grows with the number of sleepers, pollers and devices: `cargo bench -p fops-runtime --bench scale`.
//!
//! Each cost is of one sleeper, poller or device, beside so many others. It should stay the same in each line. Each figure
//! comes from a process of its own, and is the median of some.
#![allow(missing_docs, reason = "a program")]

#[cfg(all(target_os = "linux", not(loom)))]
mod linux {
    use fops_runtime::op::op;
    use fops_runtime::{Cause, DeviceLifetime, PollEvents, PollTable, Poller, Unplug, WaitQueue};
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;
    use std::time::{Duration, Instant};

    const ROUNDS: usize = 5;
    const STACK: usize = 64 << 10;

    /// Has `sleepers` threads sleep on `queue` in a section of `device` each, and runs `then`.
    fn with_sleepers(
        sleepers: usize,
        device: &DeviceLifetime<()>,
        queue: &WaitQueue,
        then: impl FnOnce() -> f64,
    ) -> f64 {
        let asleep = &AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..sleepers {
                let sleep = move || {
                    let access = device.enter(op!("sleep")).expect("it is plugged");
                    let mut first = true;
                    let ended = access.wait_event(queue, || {
                        if std::mem::take(&mut first) {
                            asleep.fetch_add(1, Relaxed);
                        }
                        None::<()>
                    });
                    ended.expect_err("the device goes");
                };
                thread::Builder::new().stack_size(STACK).spawn_scoped(scope, sleep).expect("there is a thread");
            }
            while asleep.load(Relaxed) < sleepers {
                thread::sleep(Duration::from_millis(1));
            }
            // The last ones too.
            thread::sleep(Duration::from_millis(20));
            let figure = then();
            if !device.is_unplugged() {
                device.alone().unplug(Cause::Unbind).expect("once");
            }
            figure
        })
    }

    fn nanos(began: Instant, of: usize) -> f64 {
        began.elapsed().as_nanos() as f64 / of as f64
    }

    /// Unplug of a device with so many sleepers, for each of them: from its beginning to its return.
    fn unplug(sleepers: usize) -> f64 {
        let (device, queue) = (DeviceLifetime::new(()), WaitQueue::new());
        with_sleepers(sleepers, &device, &queue, || {
            let began = Instant::now();
            device.alone().unplug(Cause::Unbind).expect("once");
            nanos(began, sleepers)
        })
    }

    /// One sleep that is over at once, on a queue where so many others sleep.
    fn sleep_beside(sleepers: usize) -> f64 {
        const SLEEPS: usize = 1000;
        let (device, queue) = (DeviceLifetime::new(()), WaitQueue::new());
        with_sleepers(sleepers, &device, &queue, || {
            let began = Instant::now();
            for _ in 0..SLEEPS {
                queue.wait_event(None, || Some(())).expect("it does not sleep");
            }
            nanos(began, SLEEPS)
        })
    }

    /// As [`sleep_beside`], while an unplug of another device waits for a section.
    fn sleep_during_unplug(sleepers: usize) -> f64 {
        let other = DeviceLifetime::new(());
        thread::scope(|scope| {
            let (inside, is_inside) = std::sync::mpsc::channel();
            let (end, ends) = std::sync::mpsc::channel::<()>();
            let other = &other;
            scope.spawn(move || {
                let _access = other.enter(op!("stuck")).expect("it is plugged");
                inside.send(()).expect("somebody listens");
                let _ = ends.recv();
            });
            is_inside.recv().expect("it enters");
            let alone = other.alone();
            scope.spawn(move || alone.unplug(Cause::Unbind).expect("once"));
            while !other.is_unplugged() {
                thread::yield_now();
            }
            let figure = sleep_beside(sleepers);
            drop(end);
            figure
        })
    }

    struct Nobody;

    impl Poller for Nobody {
        fn wake(&self) {}
    }

    /// The registration of a poller, where there are so many.
    fn register(pollers: usize) -> f64 {
        const MORE: usize = 100;
        let queue = WaitQueue::new();
        let all: Vec<Arc<dyn Poller>> = (0..pollers + MORE).map(|_| Arc::new(Nobody) as _).collect();
        let register = |poller: &Arc<dyn Poller>| PollTable::new(PollEvents::IN, poller).wait(&queue);
        all[..pollers].iter().for_each(register);
        let began = Instant::now();
        all[pollers..].iter().for_each(register);
        nanos(began, MORE)
    }

    /// Unplug of a group of so many devices, for each of them, where there were 4,000 threads once.
    fn group(devices: usize) -> f64 {
        const THREADS: usize = 4_000;
        let (device, queue) = (DeviceLifetime::new(()), WaitQueue::new());
        with_sleepers(THREADS, &device, &queue, || 0.0);
        let devices: Vec<_> = (0..devices).map(DeviceLifetime::new).collect();
        let group: Vec<_> = devices.iter().map(DeviceLifetime::alone).collect();
        let began = Instant::now();
        group.unplug(Cause::Unbind).expect("once");
        nanos(began, devices.len())
    }

    type Figure = (&'static str, &'static str, fn(usize) -> f64, [usize; 4]);

    const FIGURES: [Figure; 5] = [
        ("unplug", "unplug, a sleeper", unplug, [100, 1_000, 4_000, 10_000]),
        ("sleep", "a sleep that is over at once, beside sleepers", sleep_beside, [100, 1_000, 4_000, 10_000]),
        ("during", "the same, while an unplug waits", sleep_during_unplug, [100, 1_000, 4_000, 10_000]),
        ("register", "registering a poller", register, [100, 1_000, 4_000, 10_000]),
        ("group", "unplug of a group, a device", group, [1, 10, 100, 1_000]),
    ];

    pub(crate) fn main() {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        if let [flag, name, count] = &arguments[..]
            && flag == "--one"
        {
            let (.., figure, _) = FIGURES.iter().find(|(this, ..)| this == name).expect("a figure");
            return println!("{}", figure(count.parse().expect("a number")));
        }
        for (name, text, _, counts) in FIGURES {
            print!("{text:46}");
            for count in counts {
                let mut rounds: Vec<f64> = (0..ROUNDS).map(|_| apart(name, count)).collect();
                rounds.sort_by(f64::total_cmp);
                print!(" {count:>6}: {:7.2} us", rounds[ROUNDS / 2] / 1e3);
            }
            println!();
        }
    }

    /// The figure from a process of its own: here threads have left slots.
    fn apart(name: &str, count: usize) -> f64 {
        let program = std::env::current_exe().expect("a program has a path");
        let output = Command::new(program).args(["--one", name, &count.to_string()]).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
    }
}

#[cfg(all(target_os = "linux", not(loom)))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", not(loom))))]
fn main() {
    eprintln!("the benchmark knows Linux alone");
}
