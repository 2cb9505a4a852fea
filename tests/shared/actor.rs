//! Clients that act, as processes or as threads, and where they do it.
use super::Served;
use super::act::{Act, End, Release};
use super::place::OwnNode;
use super::wait::{DEADLINE, eventually, sleeps, torn_down, wait_for_exit};
use super::{Machine, echo, needs};
use fops_runtime::Cause;
use fops_runtime::{Client, Errno, Request};
use rcar_vin::core::DRIVER;
use rcar_vin::csi2::{CSI2_DEVICE, CSI2_DRIVER};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::{fs, thread};

/// A client that acts. A process is killed when it is dropped.
pub struct Actor {
    act: Act,
    node: String,
    /// As the server knows it.
    pid: u32,
    lines: Receiver<String>,
    status: PathBuf,
    running: Running,
}

enum Running {
    Process(Child, Option<ChildStdin>),
    Thread(Option<Release>),
}

impl Actor {
    /// What it does.
    pub const fn act(&self) -> Act {
        self.act
    }

    /// What the server calls its client: a process, or a thread of this one.
    pub const fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until there is something that can go under it; one that sleeps does so by then.
    #[track_caller]
    pub fn ready(mut self) -> Self {
        let line = self.line();
        let Some(task) = line.strip_prefix("ready ") else { panic!("{self} says {line}") };
        self.status = Path::new("/proc").join(task).join("status");
        self.pid = match self.running {
            Running::Process(..) => self.pid,
            Running::Thread(_) => task.rsplit_once('/').and_then(|(_, tid)| tid.parse().ok()).unwrap_or(0),
        };
        if self.act.sleeps() {
            self.falls_asleep();
        }
        self
    }

    /// Waits until it sleeps.
    #[track_caller]
    pub fn falls_asleep(&self) {
        eventually(&format!("{self} falls asleep"), || sleeps(&self.status));
        self.goes_on();
    }

    /// Makes sure that it has not ended.
    #[track_caller]
    pub fn goes_on(&self) {
        if let Ok(line) = self.lines.try_recv() {
            panic!("{self} should go on, and says {line}");
        }
    }

    /// Lets it go on, or end.
    pub fn release(&mut self) {
        match &mut self.running {
            Running::Process(_, stdin) => drop(stdin.take()),
            Running::Thread(release) => drop(release.take()),
        }
    }

    /// Waits for its end, which must be the promised one.
    #[track_caller]
    pub fn meets_its_fate(self) -> End {
        let (act, what) = (self.act, self.to_string());
        let end = self.end();
        assert!(act.is_promised(&end), "{what}: {end:?}");
        end
    }

    /// Waits for its end, whatever that is.
    #[track_caller]
    pub fn end(mut self) -> End {
        self.release();
        let line = self.line();
        let end = line.strip_prefix("end ").and_then(End::parse).unwrap_or_else(|| panic!("{self} says {line}"));
        if let Running::Process(child, _) = &mut self.running {
            assert!(wait_for_exit("a client", child).success());
        }
        end
    }

    #[track_caller]
    fn line(&self) -> String {
        match self.lines.recv_timeout(DEADLINE) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{self} hangs:\n{}", fs::read_to_string(&self.status).unwrap_or_default())
            }
            Err(RecvTimeoutError::Disconnected) => panic!("{self} panicked"),
        }
    }
}

/// `Stream on video0`.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} on {} ({})", self.act, self.node, self.pid)
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        if let Running::Process(child, _) = &mut self.running {
            // It has ended, unless the test failed.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Who serves the nodes of a machine, and how devices come and go there.
pub trait Host: Sync {
    /// `in process`, `on nodes`.
    fn name(&self) -> &'static str;

    /// The machine.
    fn machine(&self) -> &Machine;

    /// Starts a client on the node of this name.
    fn start(&self, act: Act, node: &str) -> Actor;

    /// Takes the driver from the device; returns when it is torn down.
    fn unbind(&self, device: &str);

    /// Binds the device to its driver.
    fn bind(&self, device: &str);

    /// Takes the device off the bus; returns when it is torn down.
    fn remove(&self, device: &str);

    /// Has the bus find what was removed.
    fn rescan(&self);

    /// Starts a client, and waits until there is something that can go under it.
    #[track_caller]
    fn client(&self, act: Act, node: &str) -> Actor {
        self.start(act, node).ready()
    }
}

/// The name of the driver for a device.
pub fn driver_of(device: &str) -> &'static str {
    if device == CSI2_DEVICE { CSI2_DRIVER } else { DRIVER }
}

/// Both hosts, for a machine each; the real nodes only where they can be had.
#[track_caller]
pub fn hosts(machine: impl Fn() -> Machine) -> Vec<Box<dyn Host>> {
    let mut hosts: Vec<Box<dyn Host>> = vec![Box::new(InProcess(machine()))];
    hosts.extend(OnNodes::new(machine()).map(|host| Box::new(host) as Box<dyn Host>));
    hosts
}

/// Clients are threads, and so is whoever unbinds.
pub struct InProcess(pub Machine);

impl Host for InProcess {
    fn name(&self) -> &'static str {
        "in process"
    }

    fn machine(&self) -> &Machine {
        &self.0
    }

    fn start(&self, act: Act, node: &str) -> Actor {
        let place = OwnNode { devices: self.0.devices.clone(), name: node.into() };
        let ((say, lines), (release, released)) = (channel(), channel());
        let thread = thread::Builder::new().name(format!("{act:?}"));
        let body = move || {
            let here = fs::read_link("/proc/thread-self").unwrap();
            let pid = here.file_name().and_then(|tid| tid.to_str()?.parse().ok()).unwrap_or(0);
            // Whoever does not listen has heard enough.
            let ready = || drop(say.send(format!("ready {}", here.display())));
            let client = Client::new(pid, 0, 0);
            let line = match Request::new(Some(client)).run(|| act.run(&place, ready, &released)) {
                Ok(end) => format!("end {end}"),
                Err(errno) => format!("failed {}", errno.raw()),
            };
            let _ = say.send(line);
        };
        thread.spawn(body).unwrap();
        let running = Running::Thread(Some(release));
        Actor { act, node: node.into(), pid: 0, lines, status: PathBuf::new(), running }
    }

    #[track_caller]
    fn unbind(&self, device: &str) {
        torn_down(&self.0.bus.unbind(driver_of(device), device).unwrap());
    }

    #[track_caller]
    fn bind(&self, device: &str) {
        self.0.bus.bind(driver_of(device), device).unwrap();
    }

    #[track_caller]
    fn remove(&self, device: &str) {
        torn_down(&self.0.bus.remove(device, Cause::Removal).unwrap());
    }

    #[track_caller]
    fn rescan(&self) {
        assert_eq!(self.0.bus.rescan(), Ok::<(), Errno>(()));
    }
}

/// Clients are processes, and so is whoever unbinds: shells that write to sysfs.
pub struct OnNodes {
    // Unmounted before the machine goes.
    served: Served,
    machine: Machine,
}

impl OnNodes {
    /// Serves the machine. `None` where that cannot be done: then the test is skipped.
    #[track_caller]
    pub fn new(machine: Machine) -> Option<Self> {
        Some(Self { served: Served::with_mmap(&machine.bus)?, machine })
    }

    #[track_caller]
    fn echo(&self, text: &str, file: &str) {
        let mut shell = echo(text, &self.served.path(file));
        assert!(wait_for_exit(&format!("echo {text} > {file}"), &mut shell).success(), "echo {text} > {file}");
    }
}

impl Host for OnNodes {
    fn name(&self) -> &'static str {
        "on nodes"
    }

    fn machine(&self) -> &Machine {
        &self.machine
    }

    fn start(&self, act: Act, node: &str) -> Actor {
        let mut child = Command::new(needs::client_program())
            .arg(format!("{act:?}"))
            .arg(self.served.node(node))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (send, lines) = channel();
        thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        let pid = child.id();
        Actor { act, node: node.into(), pid, lines, status: PathBuf::new(), running: Running::Process(child, stdin) }
    }

    #[track_caller]
    fn unbind(&self, device: &str) {
        self.echo(device, &format!("sys/bus/platform/drivers/{}/unbind", driver_of(device)));
    }

    #[track_caller]
    fn bind(&self, device: &str) {
        self.echo(device, &format!("sys/bus/platform/drivers/{}/bind", driver_of(device)));
    }

    #[track_caller]
    fn remove(&self, device: &str) {
        self.echo("1", &format!("sys/devices/platform/{device}/remove"));
    }

    #[track_caller]
    fn rescan(&self) {
        self.echo("1", "sys/bus/platform/rescan");
    }
}
