//! What a test needs of the machine, and the program under test.
use super::Served;
use super::skip::skip;
use super::wait::DEADLINE;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Whether v4l-utils are here; else the test is skipped.
#[track_caller]
pub fn needs_v4l_utils() -> bool {
    let quiet = |program| Command::new(program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let found = quiet("v4l2-ctl").is_ok() && quiet("v4l2-compliance").is_ok();
    if !found {
        skip("there is no v4l2-ctl or no v4l2-compliance: run `apt-get install v4l-utils`");
    }
    found
}

/// Whether `rcar-vin exec` works here, with mapped buffers where `mmap`; else the test is skipped.
#[track_caller]
pub fn needs_exec(mmap: bool) -> bool {
    let machine = super::machine();
    let served = if mmap { Served::with_mmap(&machine.bus) } else { Served::new(&machine.bus) };
    if served.is_none() {
        return false;
    }
    drop(served);
    let tried = run(&["exec", "--", "true"]);
    if tried.code == 0 {
        return true;
    }
    let refused = tried.stderr.lines().find(|line| line.contains("cannot"));
    skip(refused.unwrap_or_else(|| panic!("rcar-vin exec -- true: {tried:?}")));
    false
}

/// The built `rcar-vin`.
///
/// # Panics
/// When it is missing or older than its source.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        const BUILD: &str = "run `cargo build -p rcar-vin` (with the flags of this test run), then the tests again";
        // This test is target/<profile>/deps/<test>-<hash>.
        let test = std::env::current_exe().unwrap();
        let directory = test.ancestors().nth(2).unwrap();
        let program = directory.join("rcar-vin");
        let built = fs::metadata(&program).and_then(|metadata| metadata.modified());
        let built = built.unwrap_or_else(|error| panic!("{}: {error}; {BUILD}", program.display()));
        // What it was built from, as cargo notes it.
        let sources = fs::read_to_string(program.with_extension("d")).unwrap_or_default();
        for source in sources.split_whitespace().skip(1) {
            let changed = fs::metadata(source).and_then(|metadata| metadata.modified());
            assert!(changed.is_ok_and(|time| time <= built), "{} is older than {source}; {BUILD}", program.display());
        }
        program
    })
}

/// The client of these tests, which cargo builds with each of them.
pub(crate) fn client_program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("fops-client")
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Run {
    /// Its exit code.
    pub code: i32,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

/// Runs the program to its end.
#[track_caller]
pub fn run<S: AsRef<OsStr>>(args: &[S]) -> Run {
    let mut child = Command::new(program())
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let collect = |mut pipe: Box<dyn std::io::Read + Send>| {
        thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).unwrap();
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let stdout = collect(Box::new(child.stdout.take().unwrap()));
    let stderr = collect(Box::new(child.stderr.take().unwrap()));
    let began = Instant::now();
    let status: ExitStatus = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if began.elapsed() > DEADLINE {
            // Or what it has mounted stays behind.
            let _ = child.kill();
            let _ = child.wait();
            panic!(
                "rcar-vin {:?} hangs: not done within {DEADLINE:?}",
                args.iter().map(AsRef::as_ref).collect::<Vec<_>>()
            );
        }
        thread::sleep(Duration::from_millis(1));
    };
    let code = status.code().unwrap_or_else(|| panic!("rcar-vin was killed: {status}"));
    Run { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}
