//! An act in a process of its own: this program, run once more, where `run` carries the act out in place of the suite.
use crate::lock::Lock;
use crate::testkit::act::Answer;
use crate::testkit::whereabouts::{self, Whereabouts};
use fops_runtime::Errno;
use std::cell::Cell;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

/// Says what this process is for: which `run` of its test, which act, on which file.
const ROLE: &str = "FOPS_TESTKIT_ACT";
/// Before each line that is for the suite: a test prints others too.
const MARK: &str = "fops-testkit: ";

thread_local! {
    /// How many runs this thread has begun.
    static RUNS: Cell<usize> = const { Cell::new(0) };
}

/// Counts this run of the thread's.
pub(super) fn begin_run() -> usize {
    RUNS.replace(RUNS.get() + 1)
}

/// What this process is for, if it carries out an act.
pub(super) struct Role {
    pub(super) run: usize,
    pub(super) act: usize,
    pub(super) path: String,
}

impl Role {
    pub(super) fn given() -> Option<Self> {
        let role = std::env::var(ROLE).ok()?;
        let mut words = role.splitn(3, ' ');
        let mut next = || words.next();
        Some(Self { run: next()?.parse().ok()?, act: next()?.parse().ok()?, path: next()?.into() })
    }
}

/// Carries out the act whenever the suite asks for it, until that has enough.
pub(super) fn serve<F: FnMut() -> Answer>(mut act: F) {
    let say = |what: &str| {
        // Without the suite there is nobody to tell.
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "\n{MARK}{what}").and_then(|()| out.flush());
    };
    say(&format!("thread {}", whereabouts::here().unwrap_or(0)));
    for _ in std::io::stdin().lines().map_while(Result::ok) {
        say(&match act() {
            Answer::Done => "done".into(),
            Answer::HungUp => "hung up".into(),
            Answer::Failed(errno) => format!("error {}", errno.raw()),
        });
    }
}

/// A process that carries out an act.
pub(super) struct Process {
    child: Lock<Option<Child>>,
    pid: u32,
    thread: u32,
    pipes: Lock<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl Process {
    /// Runs the test once more, to carry out act number `act` of its `run` on the node with this file.
    pub(super) fn start(test: Option<&str>, run: usize, act: usize, path: &Path) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        match test {
            Some("main") | None => command.args(std::env::args_os().skip(1)),
            Some(test) => command.args([test, "--exact", "--nocapture", "--include-ignored", "--test-threads=1"]),
        };
        let role = format!("{run} {act} {}", path.display());
        let mut child = command.env(ROLE, role).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let pid = child.id();
        let pipes = child.stdin.take().zip(child.stdout.take());
        let mut pipes = pipes.map(|(to, from)| (to, BufReader::new(from).lines())).expect("both are piped");
        // It ends when its input does, at the latest.
        let thread = said(&mut pipes.1).and_then(|line| line.strip_prefix("thread ")?.parse().ok());
        let Some(thread) = thread else {
            let _ = child.kill().and_then(|()| child.wait());
            return Err(std::io::Error::other("a second run of the test does not come to `run`"));
        };
        Ok(Self { child: Lock::new(Some(child)), pid, thread, pipes: Lock::new(pipes) })
    }

    /// Has the act carried out once. `None` where the process has ended.
    pub(super) fn call(&self) -> Option<Answer> {
        let (to, from) = &mut *self.pipes.lock();
        writeln!(to).ok()?;
        let said = said(from)?;
        match &*said {
            "done" => Some(Answer::Done),
            "hung up" => Some(Answer::HungUp),
            said => Some(Answer::Failed(Errno::from_raw(said.strip_prefix("error ")?.parse().ok()?))),
        }
    }

    /// Where the thread is that carries the act out.
    pub(super) fn whereabouts(&self) -> Whereabouts {
        whereabouts::of_task(&format!("/proc/{}/task/{}", self.pid, self.thread))
    }

    /// Ends it, as `SIGKILL` does. Does not wait: it may be in an operation that hangs, until its node is gone.
    pub(super) fn kill(&self) {
        if let Some(child) = &mut *self.child.lock() {
            let _ = child.kill();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let child = self.child.lock().take();
        let _ = thread::Builder::new().name("testkit".into()).spawn(move || child.map(|mut child| child.wait()));
    }
}

/// The next line that is for the suite.
fn said(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    lines.map_while(Result::ok).find_map(|line| Some(line.strip_prefix(MARK)?.to_owned()))
}
