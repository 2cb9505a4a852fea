//! A directory with the nodes of the bus under test, which is gone at every ending.
use crate::bus::Bus;
use crate::fuse::{Options, Server};
use crate::nodes::node::Node;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A directory with the nodes of a bus.
pub(super) struct Mounted {
    server: Option<Server>,
    directory: PathBuf,
    /// Unmounts and removes the directory when its input ends: also if this process is killed.
    guard: Child,
}

/// Waits for the end of its input. What is gone by then is not there to be unmounted.
const GUARD: &str = r#"cat; umount -l "$1" || fusermount3 -uz "$1"; rmdir "$1""#;

impl Mounted {
    /// Serves the nodes of the bus. Says why where that cannot be.
    pub(super) fn serve(bus: &Arc<Bus>) -> Result<Self, String> {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fops-testkit-{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir(&directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A signal from the terminal is not for it.
            .process_group(0)
            .spawn();
        let guard = guard.map_err(|error| {
            let _ = std::fs::remove_dir(&directory);
            format!("cannot run sh: {error}")
        })?;
        let mut this = Self { server: None, directory, guard };
        let server = Server::mount(&this.directory, bus, Options::new());
        this.server = Some(server.map_err(|error| error.to_string())?);
        Ok(this)
    }

    /// The file of a node.
    pub(super) fn path(&self, node: &str) -> PathBuf {
        self.directory.join("dev").join(node)
    }

    /// The node, by its file.
    pub(super) fn node(&self, name: &str) -> Arc<Node> {
        Node::remote(&self.path(name))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        drop(self.server.take());
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}
