//! Plug, stream, unplug, for as long as one likes: memory, threads and descriptors stay what they are.
//!
//! Briefly here. At length, with the number of cycles in the environment:
//! ```text
//! FOPS_CYCLES=100000 cargo test -p system-tests --test long_run in_process
//! FOPS_CYCLES=2000 cargo test -p system-tests --test long_run on_nodes
//! ```
use fops_runtime::{Errno, OpenFlags};
use rcar_vin::client::{Stream, VideoFile, get};
use rcar_vin::core::DEVICE;
use rcar_vin::csi2::CSI2_DEVICE;
use rcar_vin::ioctls::{VIDIOC_G_FMT, VIDIOC_S_FMT};
use rcar_vin::uapi::{Format, V4L2_BUF_TYPE_VIDEO_CAPTURE, zeroed};
use std::fs;
use std::io::{Write as _, stderr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use system_tests::{Act, Host, InProcess, Machine, OnNodes, check, eventually, machine_with, vin};

/// A server has as many threads as it had calls at once, each with a descriptor or so: the most may come late.
const SLACK: usize = 4;

/// What a process has.
#[derive(Debug, Clone, Copy)]
struct Usage {
    /// Bytes that are resident.
    memory: usize,
    threads: usize,
    descriptors: usize,
}

impl Usage {
    fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let field = |name: &str| -> usize {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        let descriptors = fs::read_dir("/proc/self/fd").unwrap().count();
        Self { memory: field("VmRSS:") << 10, threads: field("Threads:"), descriptors }
    }

    /// The medians of each.
    fn typical(samples: &[Self]) -> Self {
        let median = |of: fn(&Self) -> usize| {
            let mut all: Vec<_> = samples.iter().map(of).collect();
            all.sort_unstable();
            all[all.len() / 2]
        };
        Self {
            memory: median(|usage| usage.memory),
            threads: median(|usage| usage.threads),
            descriptors: median(|usage| usage.descriptors),
        }
    }
}

/// One at a time: what is measured is the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cycles(default: usize) -> usize {
    std::env::var("FOPS_CYCLES").map_or(default, |text| text.parse().expect("FOPS_CYCLES is a number of cycles"))
}

/// Runs the cycles, says how far it is, and compares the last quarter with the first.
fn run(what: &str, cycles: usize, mut cycle: impl FnMut(usize)) {
    // Past the capture of tests.
    let say = |text: &str| stderr().write_all(format!("{what}: {text}\n").as_bytes()).unwrap();
    // What is allocated once, is by then.
    let warm_up = (cycles / 10).min(500);
    (0..warm_up).for_each(&mut cycle);
    let (began, mut said, mut samples) = (Instant::now(), Instant::now(), Vec::new());
    for number in 0..cycles {
        cycle(number);
        if number % (cycles / 200).max(1) == 0 {
            samples.push(Usage::now());
        }
        if said.elapsed() > Duration::from_secs(2) {
            said = Instant::now();
            say(&format!("{number} of {cycles} cycles, {:?}", samples[samples.len() - 1]));
        }
    }
    let quarter = samples.len() / 4;
    let (first, last) = (Usage::typical(&samples[..quarter]), Usage::typical(&samples[samples.len() - quarter..]));
    say(&format!("{cycles} cycles in {:.1?}; first quarter {first:?}, last quarter {last:?}", began.elapsed()));
    assert!(last.memory <= first.memory + first.memory / 10 + (1 << 20), "{what}: memory grows, {first:?} to {last:?}");
    assert!(last.threads <= first.threads + SLACK, "{what}: threads grow, {first:?} to {last:?}");
    assert!(last.descriptors <= first.descriptors + SLACK, "{what}: descriptors grow, {first:?} to {last:?}");
}

fn machine() -> Machine {
    let machine = machine_with(&[DEVICE]);
    vin(&machine, DEVICE).set_frame_rate(10_000.0);
    machine
}

/// Now and then the receiver goes, and takes the node with it.
const fn device(cycle: usize) -> &'static str {
    if cycle % 8 == 7 { CSI2_DEVICE } else { DEVICE }
}

fn small(file: &impl VideoFile) {
    let mut format = get(file, VIDIOC_G_FMT, Format { type_: V4L2_BUF_TYPE_VIDEO_CAPTURE, ..zeroed() }).unwrap();
    (format.pix.width, format.pix.height) = (16, 16);
    get(file, VIDIOC_S_FMT, format).unwrap();
}

#[test]
fn in_process() {
    let _alone = alone();
    let host = InProcess(machine());
    let machine = host.machine();
    run("in process", cycles(2_000), |cycle| {
        let file = machine.devices.open("video0", OpenFlags::RDWR).unwrap();
        small(&file);
        let stream = Stream::start(file, 5).unwrap();
        stream.dequeue().unwrap();
        host.unbind(device(cycle));
        assert_eq!(stream.dequeue().err(), Some(Errno::ENODEV));
        drop(stream);
        assert_eq!(vin(machine, DEVICE).dma_mappings(), 0);
        host.bind(device(cycle));
    });
    check(machine);
}

#[test]
fn on_nodes() {
    let _alone = alone();
    let Some(host) = OnNodes::new(machine()) else { return };
    run("on nodes", cycles(100), |cycle| {
        let client = host.client(Act::Stream, "video0");
        host.unbind(device(cycle));
        client.meets_its_fate();
        assert_eq!(vin(host.machine(), DEVICE).dma_mappings(), 0);
        eventually("the node goes", || host.machine().devices.get("video0").is_none());
        host.bind(device(cycle));
    });
    check(host.machine());
}
