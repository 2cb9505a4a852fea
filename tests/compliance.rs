//! `v4l2-compliance` with streaming finds nothing wrong, through `rcar-vin exec`.
use system_tests::{needs_exec, needs_v4l_utils, run};

/// The last line's numbers: `Total for rcar_vin device /dev/video0: 54, Succeeded: 54, Failed: 0, Warnings: 0`.
#[derive(Debug, PartialEq, Eq)]
struct Total {
    total: u32,
    succeeded: u32,
    failed: u32,
}

fn total(output: &str) -> Option<Total> {
    let line = output.lines().find(|line| line.starts_with("Total for "))?;
    let number = |after: &str| {
        let text = &line[line.find(after)? + after.len()..];
        text.split(',').next()?.trim().parse().ok()
    };
    Some(Total { total: number("/dev/video0:")?, succeeded: number("Succeeded:")?, failed: number("Failed:")? })
}

fn complies(arguments: &[&str]) {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    let command = ["--", "v4l2-compliance", "-d", "/dev/video0"];
    let run = run(&[&["exec", "--frame-rate", "500"], &command[..], arguments].concat());
    let total = total(&run.stdout).unwrap_or_else(|| panic!("v4l2-compliance: {}\n{}", run.stdout, run.stderr));
    assert_eq!(total, Total { total: total.total, succeeded: total.total, failed: 0 }, "{}", run.stdout);
    assert!(total.total > 40, "{total:?}: most tests did not run");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let streamed = run.stdout.contains("test MMAP (no poll): OK");
    assert_eq!(streamed, arguments.contains(&"-s"), "{}", run.stdout);
}

#[test]
fn all_tests_succeed_with_streaming() {
    complies(&["-s"]);
}

#[test]
fn all_tests_succeed_without_streaming() {
    complies(&[]);
}

#[test]
fn a_failure_passes_through() {
    if needs_v4l_utils() && needs_exec(false) {
        let run = run(&["exec", "--", "v4l2-compliance", "-d", "/dev/video0", "--no-such-option"]);
        assert_eq!(run.code, 1, "{run:?}");
    }
}
