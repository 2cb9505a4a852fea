//! A mounted directory with one bell, and how to wait for things.
use super::bell::*;
pub(crate) use super::deadline::{DEADLINE, eventually as until};
use super::skip::skip;
use fops_host::fuse::{Options, Server};
use fops_host::{Bus, Devices, NodeKind};
use fops_runtime::Errno;
use rustix::ioctl::{NoArg, Setter};
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command as Process, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;

/// A mounted directory with one bell.
pub(crate) struct Mounted {
    pub(crate) server: Arc<Server>,
    /// Dropped at the end.
    pub(crate) _watched: mpsc::Sender<()>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) foundry: Arc<Foundry>,
    pub(crate) root: PathBuf,
}

impl Mounted {
    pub(crate) fn new(options: Options) -> Option<Self> {
        // Removed by hand: what is still mounted must not be emptied.
        let root = tempfile::Builder::new().prefix("fops-fuse-").tempdir().unwrap().keep();
        let devices = Devices::new();
        devices.add_kind(NodeKind::class("bell", "bells", 99, 7));
        let bus = Bus::new("tower", devices);
        let foundry = Arc::new(Foundry::default());
        bus.register_driver(Foundries(foundry.clone())).unwrap();
        bus.add_device("b0.bell").unwrap();
        bus.bind("bells", "b0.bell").unwrap();
        match Server::mount(&root, &bus, options) {
            Ok(server) => {
                let server = Arc::new(server);
                Some(Self { _watched: watch(server.clone()), server, bus, foundry, root })
            }
            Err(error) => {
                skip(&error.to_string());
                fs::remove_dir(&root).unwrap();
                None
            }
        }
    }

    pub(crate) fn bell(&self) -> Arc<Bell> {
        self.foundry.bell.lock().unwrap().clone().unwrap()
    }

    pub(crate) fn node(&self) -> PathBuf {
        self.root.join("dev/bell0")
    }

    pub(crate) fn open(&self) -> fs::File {
        fs::File::options().read(true).write(true).open(self.node()).unwrap()
    }

    pub(crate) fn attribute(&self, name: &str) -> PathBuf {
        self.root.join("sys/bus/tower/drivers/bells").join(name)
    }

    pub(crate) fn unbind(&self) -> std::io::Result<()> {
        fs::write(self.attribute("unbind"), "b0.bell\n")
    }

    pub(crate) fn sh(&self, script: &str) -> Process {
        let mut process = Process::new("sh");
        process.args(["-c", script, "sh"]).arg(self.node()).arg(self.attribute("unbind"));
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).env("LC_ALL", "C");
        process
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        self.server.unmount();
        // Not worth a second panic.
        let _ = fs::remove_dir(&self.root);
    }
}

/// Unmounts after a long time, which ends whatever the test hangs in with an error.
pub(crate) fn watch(server: Arc<Server>) -> mpsc::Sender<()> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        if receiver.recv_timeout(3 * DEADLINE) == Err(mpsc::RecvTimeoutError::Timeout) {
            println!("the test hangs: unmounting {}", server.path().display());
            server.unmount();
        }
    });
    sender
}

/// Runs on a thread of its own, whose result is waited for until the deadline.
pub(crate) struct Background<T>(mpsc::Receiver<T>);

impl<T: Send + 'static> Background<T> {
    pub(crate) fn run(work: impl FnOnce() -> T + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            // Nobody waits after a failure.
            let _ = sender.send(work());
        });
        Self(receiver)
    }

    #[track_caller]
    pub(crate) fn get(&self) -> T {
        self.0.recv_timeout(DEADLINE).expect("an answer before the deadline")
    }
}

#[track_caller]
pub(crate) fn reap(child: &mut Child) -> std::process::ExitStatus {
    let mut status = None;
    until("the child ends", || {
        status = child.try_wait().unwrap();
        status.is_some()
    });
    status.unwrap()
}

pub(crate) fn said(child: &mut Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

pub(crate) fn errno<T: std::fmt::Debug>(result: std::io::Result<T>) -> Option<Errno> {
    result.err().and_then(|error| error.raw_os_error()).map(Errno::from_raw)
}

pub(crate) fn fill(file: &fs::File, byte: u8) {
    // SAFETY: `FILL` reads four bytes.
    unsafe { rustix::ioctl::ioctl(file, Setter::<FILL, u32>::new(byte.into())) }.unwrap();
}

pub(crate) fn wedge(file: fs::File) -> Background<rustix::io::Result<()>> {
    // SAFETY: `WEDGE` has no argument.
    Background::run(move || unsafe { rustix::ioctl::ioctl(&file, NoArg::<WEDGE>::new()) })
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
