//! The commands do what they say: the demonstration, `ops`, `exec` and `serve`.
use fops_runtime::{Guarded, OpTable, Policy};
use rcar_vin::client::{Last, Role};
use rcar_vin::core::{DEVICE, DRIVER, RcarVin};
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use system_tests::{
    Client, Serving, eventually, is_mounted, needs_exec, program, run, temporary_directory, wait_for_exit,
};

#[test]
fn the_demonstration_keeps_every_promise() {
    let run = run::<&str>(&[]);
    assert_eq!(run.code, 0, "{}\n{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("every client was told that its device is gone"), "{}", run.stdout);
    assert!(!run.stdout.contains("BROKEN"), "{}", run.stdout);
    assert!(run.stdout.contains("RcarVin::release"), "no table of operations:\n{}", run.stdout);
}

#[test]
fn ops_prints_every_operation_with_its_policy() {
    let run = run(&["ops"]);
    let lines = run.stdout.lines().filter(|line| line.starts_with("RcarVin::"));
    let lines: Vec<_> = lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let ops = <RcarVin as Guarded<{ OpTable::key("FileOperations") }>>::OPS;
    assert_eq!(lines.len(), ops.len(), "{}", run.stdout);
    for (op, line) in ops.iter().zip(&lines) {
        let policy = match op.policy() {
            Policy::Guarded => "guarded",
            Policy::Always => "always",
            Policy::Unguarded { .. } => "unguarded",
            other => panic!("{other:?}"),
        };
        assert_eq!(line[..2], [format!("RcarVin::{}", op.name()), policy.to_owned()]);
    }
    let names: BTreeSet<_> = ops.iter().map(|op| op.name()).collect();
    assert_eq!(names, BTreeSet::from(["ioctl", "mmap", "open", "poll", "read", "release"]));
    for other in ["Csi2::s_stream  guarded", "Csi2::release   always", "MediaDevice::ioctl  guarded"] {
        assert!(run.stdout.contains(other), "{}", run.stdout);
    }
    assert_eq!(run.code, 0);
}

#[test]
fn exec_exits_as_its_command_does() {
    if !needs_exec(false) {
        return;
    }
    for (script, code) in [("exit 0", 0), ("exit 3", 3), ("kill -TERM $$", 128 + 15), ("kill -KILL $$", 128 + 9)] {
        let run = run(&["exec", "--", "sh", "-c", script]);
        assert_eq!(run.code, code, "{script}: {run:?}");
    }
}

#[test]
fn exec_of_an_unknown_command_says_so_in_one_line() {
    if !needs_exec(false) {
        return;
    }
    let run = run(&["exec", "--", "no-such-command"]);
    assert_eq!((run.code, run.stdout.as_str()), (127, ""), "{run:?}");
    let lines: Vec<_> = run.stderr.lines().filter(|line| line.contains("no-such-command")).collect();
    assert_eq!(lines.len(), 1, "{run:?}");
    assert!(lines[0].starts_with("rcar-vin: no-such-command: no such command"), "{run:?}");
}

/// What stands in /dev, and what is mounted there and in /sys.
fn surroundings() -> (BTreeSet<String>, Vec<String>) {
    let names = fs::read_dir("/dev").unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let here = |line: &&str| line.split(' ').nth(1).is_some_and(|at| at.starts_with("/dev") || at.starts_with("/sys"));
    (names.collect(), mounts.lines().filter(here).map(str::to_owned).collect())
}

#[test]
fn exec_shows_video0_to_its_command_alone() {
    if !needs_exec(false) {
        return;
    }
    let before = surroundings();
    // The command holds the device open until its standard input ends.
    let script = "exec 3<>/dev/video0 && ls -d \"$RCAR_VIN_ROOT\"/dev/video0 && read line; test -c /dev/null";
    let mut child = Command::new(program())
        .args(["exec", "--", "sh", "-c", script])
        .env("RUST_LOG", "warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let during = surroundings();
    drop(child.stdin.take());
    assert_eq!(wait_for_exit("exec", &mut child).code(), Some(0));
    assert!(line.trim_end().ends_with("/dev/video0"), "{line:?}");
    assert_eq!(during, before);
    assert_eq!(surroundings(), before);
    let root = Path::new(line.trim_end()).ancestors().nth(2).unwrap();
    assert!(!root.exists(), "{} is left", root.display());
}

#[test]
fn serve_ends_cleanly_with_ctrl_c() {
    if Serving::can() {
        let serving = Serving::start(&[]);
        let root = serving.root.clone();
        let video = root.join("dev/video0");
        assert!(video.exists() && is_mounted(&root));
        assert!(root.join("sys/bus/platform/drivers").join(DRIVER).join(DEVICE).exists());
        serving.interrupt();
        assert!(!root.exists(), "{} is left", root.display());
    }
}

#[test]
fn serve_leaves_a_directory_that_it_was_given() {
    if Serving::can() {
        let directory = temporary_directory();
        let serving = Serving::start(&["--mount", directory.to_str().unwrap()]);
        assert_eq!(serving.root, directory);
        serving.interrupt();
        // It is there, and empty.
        fs::remove_dir(&directory).unwrap();
    }
}

#[test]
fn serve_answers_enodev_until_the_last_close() {
    if Serving::can() {
        let mut serving = Serving::start(&[]);
        let video = serving.root.join("dev/video0");
        let mut holders = [(); 3].map(|()| Client::ready(Role::Hold, &video));
        serving.signal(Signal::INT);
        let line = serving.says("waiting");
        for holder in &holders {
            assert!(line.contains(&format!("{} (rcar-vin)", holder.pid())), "{line}");
        }
        // One after the other asks for the format.
        let last = holders.each_mut().map(Client::release).len();
        for (n, holder) in holders.into_iter().enumerate() {
            assert_eq!(holder.meets_its_fate().frames, 0, "{n} of {last}");
        }
        assert_eq!(serving.ends().code(), Some(0));
        assert!(!serving.root.exists());
    }
}

#[test]
fn serve_goes_at_once_when_it_is_told_twice() {
    if Serving::can() {
        let mut serving = Serving::start(&[]);
        let mut holder = Client::ready(Role::Hold, &serving.root.join("dev/video0"));
        serving.signal(Signal::INT);
        serving.says("waiting");
        serving.signal(Signal::INT);
        assert_eq!(serving.ends().code(), Some(0));
        assert!(!is_mounted(&serving.root));
        // An error from the kernel, and no hang.
        holder.release();
        let error = holder.ends_with();
        assert!(matches!(error, Last::Error("G_FMT", errno) if matches!(errno.raw(), 103 | 107)), "{error:?}");
    }
}

#[test]
fn serve_tells_its_clients_before_it_goes() {
    if Serving::can() {
        // One waits for its first frame, another for the next.
        for (args, role) in [(&["--stall"][..], Role::Sleep), (&["--frame-rate=2"], Role::Stream)] {
            let serving = Serving::start(args);
            let client = Client::ready(role, &serving.root.join("dev/video0"));
            client.falls_asleep();
            let root = serving.root.clone();
            serving.interrupt();
            client.meets_its_fate();
            eventually("the directory goes", || !root.exists());
        }
    }
}
