//! `rcar-vin serve`: the server as a process of its own.
use super::machine;
use super::needs::program;
use super::served::{Served, is_mounted};
use super::wait::wait_for_exit;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A `serve` that runs.
pub struct Serving {
    child: Child,
    stdout: BufReader<std::process::ChildStdout>,
    /// Where it serves.
    pub root: PathBuf,
}

impl Serving {
    /// Whether it can run here, with nodes that can be mapped; else the test is skipped.
    #[track_caller]
    pub fn can() -> bool {
        Served::with_mmap(&machine().bus).is_some()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it says something with `word` in it.
    #[track_caller]
    pub fn says(&mut self, word: &str) -> String {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "serve ended and did not say {word:?}");
        }
        line
    }

    /// Waits for its end.
    #[track_caller]
    pub fn ends(&mut self) -> ExitStatus {
        wait_for_exit("serve", &mut self.child)
    }

    /// Takes away what one that was killed has left mounted.
    pub fn clean_up(&self) {
        for tool in [["umount", "-l"], ["fusermount3", "-uz"]] {
            if is_mounted(&self.root) {
                let _ = Command::new(tool[0]).arg(tool[1]).arg(&self.root).status();
            }
        }
        let _ = std::fs::remove_dir(&self.root);
    }

    /// Starts it, and waits until it serves.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(program())
            .arg("serve")
            .args(args)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        assert!(stdout.read_line(&mut line).unwrap() > 0, "serve says nothing: {:?}", child.wait());
        let place = line.strip_prefix("serving media0, v4l-subdev0, video0, video1 at ");
        let root =
            place.and_then(|place| place.split_once("/dev (")).unwrap_or_else(|| panic!("serve says {line:?}")).0;
        Self { child, stdout, root: root.into() }
    }

    /// Ctrl-C; it ends well, and its mount is gone.
    #[track_caller]
    pub fn interrupt(mut self) {
        self.signal(Signal::INT);
        assert_eq!(self.ends().code(), Some(0));
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("unplugging"), "{rest}");
        assert!(!is_mounted(&self.root), "{} is still mounted", self.root.display());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It has ended, unless the test failed; then it has to unmount.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
        }
    }
}
