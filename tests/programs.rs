//! Programs that people use work on the nodes, are told when the device goes, and work again when it is back: OpenCV,
//! PyAV and linuxpy, which queues two buffers.
use std::path::Path;
use std::process::{Command, Stdio};
use system_tests::{needs_exec, run, skip};

/// A Python that has the module; else the test is skipped.
fn python_with(module: &str) -> Option<String> {
    // Where tests/all installs it.
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    let candidates = [installed.to_string_lossy().into_owned(), "python3".to_owned()];
    let has_it = |python: &String| {
        let mut import = Command::new(python);
        import.args(["-c", &format!("import {module}")]).stdout(Stdio::null()).stderr(Stdio::null());
        import.status().is_ok_and(|status| status.success())
    };
    let found = candidates.into_iter().find(has_it);
    if found.is_none() {
        skip(&format!("there is no Python with the module {module}: run `tests/all --install`"));
    }
    found
}

/// Runs a program twice: until the device is unbound under it, and when it is bound again.
fn is_told_and_comes_back(module: &str, program: &str, told: &str) {
    let Some(python) = python_with(module) else { return };
    if !needs_exec(true) {
        return;
    }
    let script = r#"
        drivers=/sys/bus/platform/drivers/rcar-vin
        timeout 40 "$1" -c "$2" /dev/video0 0 2>&1 | while read -r line; do
            echo "$line"
            case $line in pictures*) echo e6ef0000.video > $drivers/unbind;; esac
        done
        echo again
        echo e6ef0000.video > $drivers/bind
        timeout 40 "$1" -c "$2" /dev/video0 8
    "#;
    let run = run(&["exec", "--frame-rate=60", "--", "sh", "-c", script, "sh", &python, program]);
    let (first, again) = run.stdout.split_once("again\n").unwrap_or_else(|| panic!("{run:?}"));
    assert!(first.contains("pictures 640 480\n"), "{run:?}");
    assert!(first.contains(told), "it is not told: {run:?}");
    assert_eq!(again, "pictures 640 480\n", "{run:?}");
    assert_eq!(run.code, 0, "{run:?}");
}

#[test]
fn opencv() {
    is_told_and_comes_back("cv2", include_str!("programs/opencv.py"), "no more\n");
}

#[test]
fn pyav() {
    is_told_and_comes_back("av", include_str!("programs/pyav.py"), "No such device");
}

#[test]
fn linuxpy() {
    is_told_and_comes_back("linuxpy.video.device", include_str!("programs/linuxpy.py"), "No such device");
}
