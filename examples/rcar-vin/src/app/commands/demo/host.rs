//! Clients as processes on real nodes, or as threads where these cannot be had.
use crate::commands::client::{Said, parse};
use crate::commands::serve::{Place, mount_at};
use fops_host::Answer;
use fops_host::fuse::Server;
use fops_runtime::OpenFlags;
use rcar_vin::client::{Fate, Role};
use rcar_vin::machine::Machine;
use std::error::Error;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

/// Who serves the nodes.
pub(super) enum Host {
    // Unmounted before the directory goes.
    Fuse(Server, Place),
    InProcess { why: String },
}

impl Host {
    pub(super) fn choose(machine: &Machine) -> Result<Self, Box<dyn Error>> {
        let place = Place::new(None)?;
        Ok(match mount_at(machine, place.path(), false) {
            Ok(server) => Self::Fuse(server, place),
            Err(error) => Self::InProcess { why: error.to_string() },
        })
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Fuse(server, place) => {
                format!("real nodes at {} through /dev/fuse (mmap: {})", place.path().display(), server.mmap())
            }
            Self::InProcess { why } => format!("in process, since there are no real nodes: {why}"),
        }
    }

    /// Starts a client on a node: a process of its own, or a thread.
    pub(super) fn client(&self, machine: &Machine, role: Role, node: &str) -> Result<Client, Box<dyn Error>> {
        let (said, hears) = channel();
        let (name, running) = match self {
            Self::Fuse(_, place) => {
                let mut child = Command::new(std::env::current_exe()?)
                    .args(["client", "--role", role.name()])
                    .arg(place.path().join("dev").join(node))
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()?;
                let stdout = child.stdout.take().ok_or("a client without standard output")?;
                thread::spawn(move || {
                    let lines = BufReader::new(stdout).lines().map_while(Result::ok);
                    lines.filter_map(|line| parse(&line)).try_for_each(|line| said.send(line))
                });
                let stdin = child.stdin.take();
                (format!("process {}", child.id()), Running::Process { child, stdin })
            }
            Self::InProcess { .. } => {
                let file = machine.devices.open(node, OpenFlags::RDWR)?;
                let (release, released) = channel();
                thread::spawn(move || {
                    let ready = || {
                        let _ = said.send(Said::Ready);
                        if role == Role::Hold {
                            let _ = released.recv();
                        }
                    };
                    if let Ok(fate) = role.act(file, ready) {
                        let _ = said.send(Said::End(fate));
                    }
                });
                (format!("a thread ({})", role.name()), Running::Thread { _release: Some(release) })
            }
        };
        Ok(Client { role, node: node.to_owned(), name, hears, running })
    }
}

/// A client that runs.
pub(super) struct Client {
    role: Role,
    node: String,
    name: String,
    hears: Receiver<Said>,
    running: Running,
}

enum Running {
    Process { child: Child, stdin: Option<ChildStdin> },
    Thread { _release: Option<Sender<()>> },
}

impl Client {
    pub(super) const fn role(&self) -> Role {
        self.role
    }

    pub(super) fn node(&self) -> &str {
        &self.node
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether the server measured this answer for it.
    pub(super) fn is(&self, answer: &Answer) -> bool {
        match &self.running {
            Running::Process { child, .. } => answer.client.is_some_and(|client| client.pid == child.id()),
            Running::Thread { .. } => false,
        }
    }

    /// Waits until there is something to be unplugged under.
    pub(super) fn ready(&self, patience: Duration) -> Result<(), Box<dyn Error>> {
        match self.hears.recv_timeout(patience) {
            Ok(Said::Ready) => Ok(()),
            Ok(Said::End(fate)) => Err(format!("{} on {} ended early: {fate}", self.name, self.node).into()),
            Err(RecvTimeoutError::Timeout) => Err(format!("{} on {} does not get ready", self.name, self.node).into()),
            Err(RecvTimeoutError::Disconnected) => {
                Err(format!("{} on {} failed; its error is above", self.name, self.node).into())
            }
        }
    }

    /// Lets one that holds a file use it again.
    pub(super) fn release(&mut self) {
        match &mut self.running {
            Running::Process { stdin, .. } => drop(stdin.take()),
            Running::Thread { _release } => drop(_release.take()),
        }
    }

    /// Waits for its end.
    pub(super) fn fate(&mut self, patience: Duration) -> Result<Fate, Box<dyn Error>> {
        match self.hears.recv_timeout(patience) {
            Ok(Said::End(fate)) => Ok(fate),
            Ok(Said::Ready) => Err("got ready twice".into()),
            Err(_) => Err(format!("said nothing for {patience:?}").into()),
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Running::Process { child, .. } = &mut self.running {
            // It has ended, unless something went wrong; then it must not stay behind.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
