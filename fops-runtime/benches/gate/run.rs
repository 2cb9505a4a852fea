//! Runs everything and says what came out.
use crate::contenders as c;
use crate::measure::{Lap, Run, Work, calibrate, median, run};
use crate::output::{self, Row};
use crate::unplug::Against;
use crate::{floors, memory, unplug, urcu};
use std::path::PathBuf;

const ROUNDS: usize = 41;

fn contenders() -> Vec<(&'static str, Run)> {
    let mut all: Vec<(&'static str, Run)> = vec![
        ("loop", run(floors::Nothing)),
        ("floor", run(floors::Floor::default())),
        ("protocol alone", run(floors::Protocol::default())),
        ("plain", run(c::Plain::default())),
        ("nested", run(c::Nested::default())),
        ("owned", run(c::Owned::default())),
        ("owned, counted", run(c::Cloned::default())),
        ("seize", run(c::Seize::default())),
        ("haphazard", run(c::Haphazard::default())),
        ("crossbeam-epoch", run(c::Epoch::default())),
        ("arc-swap", run(c::Swap::default())),
        ("one SeqCst word", run(c::OneWord::default())),
        ("Weak upgrade", run(c::Upgrade::default())),
        ("run-down", run(c::RunDown::default())),
        ("2017 design", run(c::Counter2017::default())),
        ("std RwLock", run(c::StdRwLock::default())),
        ("parking_lot RwLock", run(c::ParkingLot::default())),
    ];
    for (name, flavour) in [("liburcu memb", "memb"), ("liburcu bp", "bp")] {
        match urcu::run(flavour, &target()) {
            Ok(run) => all.push((name, run)),
            Err(why) => println!("{name} is left out: {why}"),
        }
    }
    all
}

/// Medians, one for each contender, of rounds in which all take their turn.
fn medians(all: &[(&str, Run)], threads: usize, work: Work) -> Vec<f64> {
    let pairs: Vec<_> = all.iter().map(|(_, run)| calibrate(run, threads, work)).collect();
    let mut laps: Vec<Vec<Lap>> = vec![Vec::new(); all.len()];
    for _ in 0..ROUNDS {
        for ((laps, (_, run)), &pairs) in laps.iter_mut().zip(all).zip(&pairs) {
            laps.push(run(threads, pairs, work));
        }
    }
    laps.iter().map(|laps| median(laps)).collect()
}

/// The target folder: the program is in `release/deps` of it.
fn target() -> PathBuf {
    let program = std::env::current_exe().expect("a program has a path");
    program.ancestors().nth(3).expect("in the target folder").to_owned()
}

/// The figures of [`memory::memory`], from a process of its own: here threads have left slots to use again.
fn memory() -> Vec<f64> {
    let program = std::env::current_exe().expect("a program has a path");
    let output = std::process::Command::new(program).arg("--memory").output().expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|number| number.parse().expect("a number")).collect()
}

pub(crate) fn main() {
    if std::env::args().any(|argument| argument == "--memory") {
        let memory = memory::memory();
        return println!("{} {} {}", memory.device, memory.thread, memory.device_and_thread);
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--json").skip(1);
    let json = arguments.next();

    // With the slots of a few threads.
    let (idle, last_exit) = (unplug::idle(), unplug::last_exit());
    let all = contenders();
    let one = medians(&all, 1, Work::Nothing);
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let two = if cpus > 1 { medians(&all, 2, Work::Nothing) } else { vec![f64::NAN; all.len()] };
    let names: Vec<_> = all.iter().map(|&(name, _)| name).collect();
    // The C program's operation does nothing else.
    let rust: Vec<_> = all.into_iter().filter(|(name, _)| !name.starts_with("liburcu")).collect();
    let four = medians(&rust, 1, Work::FourStores);
    let rows: Vec<_> = names
        .iter()
        .zip(one.iter().zip(&two))
        .enumerate()
        .skip(1)
        .map(|(i, (&name, (&one_raw, &two_raw)))| Row {
            name,
            one: one_raw - one[0],
            two: two_raw - two[0],
            scaling: 2.0 * one_raw / two_raw,
            added: four.get(i).map_or(f64::NAN, |with| with - four[0]),
        })
        .collect();
    let memory = memory();
    let [device, thread, device_and_thread] = memory[..] else { panic!("three figures") };
    output::table(&rows);
    let against = |what: &str, theirs: &str, against: &Against| {
        let (ours, them) = (against.ours / 1e3, against.theirs / 1e3);
        println!("{what}: {ours:.1} us, {theirs}: {them:.1} us, ratio {:.2}", ours / them);
    };
    against("unplug of an idle device, the other processor busy", "one membarrier", &idle);
    against("last exit to unplug's return", "a bare futex wake-up", &last_exit);
    println!("a device: {} bytes beside its resources, of 100,000 {:.1} each", size_of::<c::Ours>(), device);
    println!("a thread: {:.0} bytes; a device and thread: {:.3} bytes", thread, device_and_thread);
    let svg = target().join("gate.svg");
    std::fs::write(&svg, output::svg(&rows)).expect("the target folder can be written");
    println!("drawn in {}", svg.display());
    if let Some(file) = json {
        let single = [
            ("unplug, idle device", idle.ours),
            ("membarrier", idle.theirs),
            ("last exit to unplug's return", last_exit.ours),
            ("futex wake-up", last_exit.theirs),
            ("bytes of a device", size_of::<c::Ours>() as f64),
            ("bytes of a thread", thread),
            ("bytes of a device and thread", device_and_thread),
        ];
        std::fs::write(&file, output::json(&rows, &single)).expect("the file can be written");
        println!("written to {file}");
    }
}
