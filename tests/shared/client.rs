//! Clients: processes of their own on served nodes.
use super::needs::program;
use super::wait::{DEADLINE, falls_asleep, wait_for_exit};
use rcar_vin::client::{Fate, Last, Role};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A client process that acts a role. Killed when it is dropped.
pub struct Client {
    role: Role,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Client {
    /// Starts it on a node, and waits until there is something to be unplugged under.
    #[track_caller]
    pub fn ready(role: Role, node: &Path) -> Self {
        let client = Self::start(role, node);
        assert_eq!(client.line(), "ready", "{role:?}");
        client
    }

    /// Starts it on a node.
    pub fn start(role: Role, node: &Path) -> Self {
        let mut child = Command::new(program())
            .args(["client", "--role", role.name()])
            .arg(node)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Self { role, child, stdin, lines }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it sleeps in a call to the node, having said all that it has to say.
    #[track_caller]
    pub fn falls_asleep(&self) {
        falls_asleep(&format!("the client ({:?})", self.role), self.pid());
        assert!(self.lines.try_recv().is_err(), "{:?} ended where it should sleep", self.role);
    }

    /// Lets one that holds a file use it again.
    pub fn release(&mut self) {
        self.stdin = None;
    }

    /// Waits for its end, which must be the one that a client of its role is promised.
    #[track_caller]
    pub fn meets_its_fate(mut self) -> Fate {
        let line = self.line();
        let fate = Fate::from_line(&line).unwrap_or_else(|| panic!("{:?} says {line:?}", self.role));
        assert!(self.role.is_promised(&fate), "{:?}: {fate}", self.role);
        assert!(wait_for_exit("a client", &mut self.child).success());
        fate
    }

    /// Waits for its end, whatever it is told.
    #[track_caller]
    pub fn ends_with(mut self) -> Last {
        let line = self.line();
        let fate = Fate::from_line(&line).unwrap_or_else(|| panic!("{:?} says {line:?}", self.role));
        wait_for_exit("a client", &mut self.child);
        fate.last
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Kills it with `SIGKILL`, and waits until it is gone.
    #[track_caller]
    pub fn kill(mut self) -> ExitStatus {
        self.child.kill().unwrap();
        wait_for_exit(&format!("a killed client ({:?})", self.role), &mut self.child)
    }

    #[track_caller]
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(DEADLINE);
        line.unwrap_or_else(|error| panic!("client {} ({:?}) says nothing: {error}", self.pid(), self.role))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.try_wait();
    }
}

/// A shell that runs `echo text > path`.
pub fn echo(text: &str, path: &Path) -> Child {
    Command::new("sh").args(["-c", "echo \"$1\" > \"$2\"", "sh", text]).arg(path).spawn().unwrap()
}
