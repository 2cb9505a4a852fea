//! `v4l2-compliance` finds nothing wrong, through `rcar-vin exec`: with controls, events and selections, streaming, and
//! streaming in every format and size.
use rcar_vin::format::PixelFormat;
use system_tests::{Run, needs_exec, needs_v4l_utils, run};

/// The last line's numbers: `Total for rcar_vin device /dev/video0: 54, Succeeded: 54, Failed: 0, Warnings: 0`.
#[derive(Debug, PartialEq, Eq)]
struct Total {
    total: u32,
    succeeded: u32,
    failed: u32,
    warnings: u32,
}

fn total(output: &str) -> Option<Total> {
    let line = output.lines().find(|line| line.starts_with("Total for "))?;
    let number = |after: &str| {
        let text = &line[line.find(after)? + after.len()..];
        text.split(',').next()?.trim().parse().ok()
    };
    Some(Total {
        total: number("/dev/video0:")?,
        succeeded: number("Succeeded:")?,
        failed: number("Failed:")?,
        warnings: number("Warnings:")?,
    })
}

fn complies(arguments: &[&str]) {
    if !needs_v4l_utils() || !needs_exec(true) {
        return;
    }
    let command = ["--", "v4l2-compliance", "-d", "/dev/video0"];
    let compliance = || run(&[&["exec", "--frame-rate", "120"], &command[..], arguments].concat());
    // It wants no frame to come between two reads that do not wait. On a busy machine one does, and it is played again.
    let came_between = |run: &Run| run.stdout.contains("ret2 != ret || err2 != err");
    let run = (0..5).map(|_| compliance()).find(|run| !came_between(run)).expect("five times a frame came in between");
    let total = total(&run.stdout).unwrap_or_else(|| panic!("v4l2-compliance: {}\n{}", run.stdout, run.stderr));
    // The tool's own: on a busy machine it queues buffers later than frames come, and warns of those it has lost.
    let lost = run.stdout.matches("got sequence number").count() as u32;
    assert_eq!(
        total,
        Total { total: total.total, succeeded: total.total, failed: 0, warnings: lost },
        "{}",
        run.stdout
    );
    assert!(total.total > 40, "{total:?}: most tests did not run");
    assert_eq!(run.code, 0, "{}", run.stderr);
    // What is not there would not be tested: `OK (Not Supported)`.
    let tested = |test: &str| run.stdout.lines().any(|line| line.trim() == format!("test {test}: OK"));
    for test in ["VIDIOC_QUERYCTRL", "VIDIOC_G/S/TRY_EXT_CTRLS", "VIDIOC_(UN)SUBSCRIBE_EVENT/DQEVENT", "Cropping"] {
        assert!(tested(test), "{test}: {}", run.stdout);
    }
    assert!(run.stdout.contains("Standard Controls: 4 "), "{}", run.stdout);
    // Other tests overwrite their line as they go.
    let streamed = run.stdout.contains("test MMAP (no poll): OK");
    assert_eq!(streamed, arguments.contains(&"-s"), "{}", run.stdout);
    let formats = PixelFormat::ALL.iter().filter(|format| {
        let fourcc = format.fourcc().to_le_bytes();
        run.stdout.contains(&format!("test MMAP for Format {}, ", String::from_utf8_lossy(&fourcc)))
    });
    assert_eq!(formats.count(), if arguments.contains(&"-f") { PixelFormat::ALL.len() } else { 0 }, "{}", run.stdout);
}

#[test]
fn all_tests_succeed_with_streaming() {
    complies(&["-s"]);
}

#[test]
fn all_tests_succeed_with_streaming_in_all_formats() {
    complies(&["-s", "-f"]);
}

#[test]
fn all_tests_succeed_without_streaming() {
    complies(&[]);
}

/// The media device, and each node that its topology names.
#[test]
fn all_tests_succeed_on_the_media_device_and_its_nodes() {
    if !needs_v4l_utils() || !needs_exec(false) {
        return;
    }
    for (arguments, nodes) in [
        (["-m", "/dev/media0"], &["media0", "v4l-subdev0", "video0", "video1"][..]),
        (["-u", "/dev/v4l-subdev0"], &["v4l-subdev0"]),
    ] {
        let run = run(&[&["exec", "--", "v4l2-compliance"], &arguments[..]].concat());
        for node in nodes {
            let of_node = |line: &&str| line.starts_with("Total for ") && line.contains(&format!("/dev/{node}: "));
            let line = run.stdout.lines().find(of_node).unwrap_or_else(|| panic!("{node}: {}", run.stdout));
            assert!(line.ends_with("Failed: 0, Warnings: 0"), "{line}\n{}", run.stdout);
        }
        assert!(run.stdout.contains("test MEDIA_IOC_G_TOPOLOGY: OK") || arguments[0] == "-u", "{}", run.stdout);
        assert_eq!(run.code, 0, "{}", run.stderr);
    }
}

#[test]
fn a_failure_passes_through() {
    if needs_v4l_utils() && needs_exec(false) {
        let run = run(&["exec", "--", "v4l2-compliance", "-d", "/dev/video0", "--no-such-option"]);
        assert_eq!(run.code, 1, "{run:?}");
    }
}
