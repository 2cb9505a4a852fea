//! A bus served as files, for the time of a test.
use super::skip::skip;
use fops_host::Bus;
use fops_host::fuse::{Mmap, MountError, Options, Server};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

/// A mounted directory. Unmounted and removed when it is dropped.
pub struct Served {
    server: Server,
    directory: PathBuf,
}

impl Served {
    /// Serves the bus at a new directory. `None` where that cannot be done: then the test is skipped.
    #[track_caller]
    pub fn new(bus: &Arc<Bus>) -> Option<Self> {
        let directory = temporary_directory();
        match Server::mount(&directory, bus, Options::new()) {
            Ok(server) => Some(Self { server, directory }),
            Err(error) => {
                fs::remove_dir(&directory).unwrap();
                match error {
                    MountError::NoDevice
                    | MountError::NoFusermount
                    | MountError::Fusermount(_)
                    | MountError::TooOld(_) => skip(&error.to_string()),
                    error => panic!("cannot serve: {error}"),
                }
                None
            }
        }
    }

    /// The same, with nodes that can be mapped.
    #[track_caller]
    pub fn with_mmap(bus: &Arc<Bus>) -> Option<Self> {
        let served = Self::new(bus)?;
        if served.server.mmap() == Mmap::None {
            skip(&format!("buffers cannot be mapped here: {}; use a newer kernel", served.server.mmap_reason()));
            return None;
        }
        Some(served)
    }

    /// Where a node is.
    pub fn node(&self, name: &str) -> PathBuf {
        self.directory.join("dev").join(name)
    }

    /// Where `file` of the served tree is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    /// A driver's `bind` or `unbind`.
    pub fn attribute(&self, driver: &str, name: &str) -> PathBuf {
        self.directory.join("sys/bus/platform/drivers").join(driver).join(name)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.unmount();
        let removed = fs::remove_dir(&self.directory);
        assert!(removed.is_ok() || thread::panicking(), "{}: {removed:?}", self.directory.display());
    }
}

/// A new directory, that the caller removes.
pub fn temporary_directory() -> PathBuf {
    tempfile::Builder::new().prefix("fops-test-").tempdir().unwrap().keep()
}

/// Whether something is mounted at `path`.
pub fn is_mounted(path: &Path) -> bool {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    mounts.lines().any(|line| line.split(' ').nth(1).is_some_and(|point| Path::new(point) == path))
}
