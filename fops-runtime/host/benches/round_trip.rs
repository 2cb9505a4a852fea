//! The round trip of an ioctl with 104 bytes, against a file system of libfuse3 in C:
//! `cargo bench -p fops-host --features fuse --bench round_trip`.
//!
//! The C peer, `round_trip.c`, is built when this runs, if pkg-config finds `fuse3`. Server and clients are processes of
//! their own. They share one CPU, or are free to use two. Rounds of both servers alternate, and each figure is a median:
//! the time that passes for one operation, so with eight clients it is an eighth of what one of them waits.
#![allow(missing_docs, reason = "a program")]

#[cfg(target_os = "linux")]
mod linux {
    use fops_host::fuse::{Options, Server};
    use fops_host::{Bus, Devices, Driver, NodeKind, Probe};
    use fops_runtime::{Cause, Command, DeviceLifetime, File, FileOperations, IoctlArg, Result, guarded_fops};
    use rustix::ioctl::{Opcode, Updater, opcode};
    use rustix::thread::{CpuSet, sched_setaffinity};
    use std::cell::RefCell;
    use std::io::{BufRead, BufReader, Write};
    use std::path::{Path, PathBuf};
    use std::process::{Child, ChildStdin, ChildStdout, Stdio};
    use std::sync::{Arc, Barrier};
    use std::time::Instant;

    const ROUNDS: usize = 31;
    /// Operations of a round, of all clients together.
    const OPERATIONS: usize = 4_000;

    type Argument = [u8; 104];
    const TURN: Opcode = opcode::read_write::<Argument>(b'T', 1);

    struct Turner {
        lifetime: DeviceLifetime<()>,
    }

    #[guarded_fops(lifetime = lifetime, unplug(), resources = ())]
    impl FileOperations for Turner {
        type Open = ();

        fn open(&self, _file: &File) -> Result {
            Ok(())
        }

        fn ioctl(&self, _file: &File, _command: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
            arg.data_mut().reverse();
            Ok(0)
        }
    }

    struct Turners;

    impl Driver for Turners {
        type Device = Turner;

        fn name(&self) -> &str {
            "turners"
        }

        fn probe(&self, probe: &mut Probe) -> Result<Arc<Turner>> {
            let turner = Arc::new(Turner { lifetime: DeviceLifetime::new(()) });
            probe.register_node("turner", &turner, None);
            Ok(turner)
        }

        fn remove(&self, _device: &Arc<Turner>, (): (), _cause: Cause) {}
    }

    /// Serves a node until the input ends.
    fn serve(directory: &str) {
        let devices = Devices::new();
        devices.add_kind(NodeKind::class("turner", "turners", 99, 7));
        let bus = Bus::new("table", devices);
        bus.register_driver(Turners).expect("the first of its name");
        bus.add_device("t0.turner").expect("the first of its name");
        bus.bind("turners", "t0.turner").expect("it binds");
        let server = Server::mount(directory, &bus, Options::new()).unwrap_or_else(|error| panic!("{error}"));
        println!("ready");
        std::io::stdin().lines().for_each(drop);
        server.unmount();
    }

    /// Answers each line, a number of clients, with the nanoseconds of an operation.
    fn call(node: &str) {
        println!("ready");
        for line in std::io::stdin().lines() {
            let clients: usize = line.expect("a line").parse().expect("a number");
            let start = Barrier::new(clients + 1);
            let began = std::thread::scope(|scope| {
                for _ in 0..clients {
                    scope.spawn(|| {
                        let file = std::fs::File::open(node).expect("the node is there");
                        let mut argument = [7; 104];
                        turn(&file, &mut argument);
                        start.wait();
                        (0..OPERATIONS / clients).for_each(|_| turn(&file, &mut argument));
                    });
                }
                start.wait();
                Instant::now()
            });
            println!("{}", began.elapsed().as_nanos() as usize / OPERATIONS);
        }
    }

    fn turn(file: &std::fs::File, argument: &mut Argument) {
        // SAFETY: the command reads and writes so many bytes.
        unsafe { rustix::ioctl::ioctl(file, Updater::<TURN, Argument>::new(argument)) }.expect("it is answered");
    }

    /// A program that is given lines, and ends when its input does, or is terminated.
    struct Process {
        child: Child,
        input: Option<ChildStdin>,
        output: BufReader<ChildStdout>,
    }

    impl Process {
        fn start(program: &Path, arguments: &[&str]) -> Self {
            let mut command = std::process::Command::new(program);
            command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("it starts");
            let (input, output) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("piped")));
            let mut this = Self { child, input, output };
            assert_eq!(this.line(), "ready");
            this
        }

        fn line(&mut self) -> String {
            let mut line = String::new();
            self.output.read_line(&mut line).expect("it says something");
            line.trim_end().to_owned()
        }

        fn ask(&mut self, clients: usize) -> f64 {
            writeln!(self.input.as_mut().expect("piped"), "{clients}").expect("it listens");
            self.line().parse().expect("a number")
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            drop(self.input.take());
            // The peer does not read.
            let pid = rustix::process::Pid::from_child(&self.child);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
            let _ = self.child.wait();
        }
    }

    /// A server, and a process with its clients. The clients end first.
    struct Pair {
        clients: RefCell<Process>,
        _server: Process,
        _directory: tempfile::TempDir,
    }

    impl Pair {
        fn start(server: &Path, arguments: &[&str], node: &str) -> Self {
            let directory = tempfile::tempdir().expect("there is room");
            let at = directory.path().to_str().expect("a plain name").to_owned();
            let server = Process::start(server, &[arguments, &[&at]].concat());
            let clients = Process::start(&this_program(), &["--call", &format!("{at}/{node}")]);
            Self { clients: RefCell::new(clients), _server: server, _directory: directory }
        }
    }

    fn this_program() -> PathBuf {
        std::env::current_exe().expect("a program has a path")
    }

    /// Builds the peer beside this program.
    fn build_peer() -> std::result::Result<PathBuf, String> {
        let flags = std::process::Command::new("pkg-config").args(["--cflags", "--libs", "fuse3"]).output();
        let flags = flags.map_err(|error| format!("no pkg-config: {error}"))?;
        if !flags.status.success() {
            return Err("pkg-config finds no fuse3: install libfuse3-dev".into());
        }
        let program = this_program().with_extension("peer");
        let built = std::process::Command::new("cc")
            .args(["-O2", concat!(env!("CARGO_MANIFEST_DIR"), "/benches/round_trip.c"), "-o"])
            .arg(&program)
            .args(String::from_utf8_lossy(&flags.stdout).split_whitespace())
            .output()
            .map_err(|error| format!("no cc: {error}"))?;
        if built.status.success() { Ok(program) } else { Err(String::from_utf8_lossy(&built.stderr).into_owned()) }
    }

    /// This process, and those that it starts, may use the first CPUs.
    fn use_cpus(count: usize) {
        let mut set = CpuSet::new();
        (0..count).for_each(|cpu| set.set(cpu));
        sched_setaffinity(None, &set).expect("they are there");
    }

    fn median(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    }

    pub(crate) fn main() {
        let arguments: Vec<_> = std::env::args().skip(1).collect();
        match &arguments[..] {
            [flag, directory] if flag == "--serve" => return serve(directory),
            [flag, node] if flag == "--call" => return call(node),
            _ => {}
        }
        let peer = build_peer();
        if let Err(why) = &peer {
            println!("without the peer: {why}");
        }
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        for count in [1, 2].into_iter().filter(|count| *count <= cpus) {
            use_cpus(count);
            let ours = Pair::start(&this_program(), &["--serve"], "dev/turner0");
            let theirs = peer.as_ref().ok().map(|peer| Pair::start(peer, &[], "node"));
            for clients in [1, 8] {
                let (mut our_laps, mut their_laps) = (Vec::new(), Vec::new());
                for _ in 0..ROUNDS {
                    our_laps.push(ours.clients.borrow_mut().ask(clients) / 1e3);
                    their_laps.extend(theirs.as_ref().map(|pair| pair.clients.borrow_mut().ask(clients) / 1e3));
                }
                let ours = median(our_laps);
                print!("{count} CPU, {clients} clients: {ours:6.2} us");
                if theirs.is_some() {
                    let theirs = median(their_laps);
                    print!(", libfuse3: {theirs:6.2} us, ratio {:.2}", ours / theirs);
                }
                println!();
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("the benchmark knows Linux alone");
}
