//! Device nodes and a small sysfs for other processes, through `/dev/fuse`.
//!
//! A [`Server`] mounts a directory. In it are
//! * `dev/<node>`: the nodes of a [`Bus`], each a regular file that behaves as a device node does: blocking
//!   reads, `ioctl(2)`, `poll(2)`, `mmap(2)`, signals;
//! * `sys/bus/<bus>/drivers/<driver>/{bind,unbind}`, to which one writes a device's name;
//! * `sys/devices/<bus>/<device>/remove`, to which one writes a 1 to have the device gone from the bus, and
//!   `sys/bus/<bus>/rescan`, to which one writes a 1 to have it found again and bound;
//! * `sys/bus/<bus>/devices/<device>`, `sys/devices/<bus>/<device>`, and the links between them as in Linux.
//!
//! Each system call runs on a thread of its own, as in the kernel; there are as many threads as calls in
//! flight, and a few more. A client that is killed, or gets a signal, in a sleep that the runtime knows of is gone at
//! once. After unplug the files that are open answer `ENODEV`; the node is gone when the last one is closed.
//!
//! # What differs from a device node
//! * `stat(2)` says regular file, and device number 0:0.
//! * The server looks into the memory of its callers for what the pointers in an ioctl's argument name, and must be
//!   allowed to: as root, or as the caller's user where `kernel.yama.ptrace_scope` is 0. Else, and for callers whose pid
//!   it cannot see, these are bad addresses. The server must not itself pass a mapping of a node that it serves.
//! * `mmap(2)` does not reach the driver: the kernel maps all of a node's memory, or none, after unplug too.
//! * `O_NONBLOCK` set by `fcntl(2)` reaches the driver with the next read or write; an ioctl does not carry it.
//! * A sleep that a signal has ended answers `EINTR`, `SIGSTOP` and `SIGCONT` among them: FUSE cannot have the call
//!   begin again, as Linux does where a program asks for that.
//! * A read or write of more than 1 MiB arrives in pieces.
//! * A node with memory, in [`Mmap::Passthrough`], has a position, which `lseek(2)` moves without asking the
//!   driver; the kernel holds a lock for it, so that of several threads or processes that share *one* open file, one
//!   at a time is in `read(2)` or `write(2)`, and the others cannot be interrupted until it returns. Other nodes have
//!   no position, and `pread(2)` answers `ESPIPE`.
mod abi;
mod caller;
mod channel;
mod files;
mod mapping;
mod mount;
mod options;
mod reply;
mod request;
mod serve;
mod sysfs;
mod tree;
#[cfg(any(test, fuzzing))]
mod wire;
mod workers;

pub use mapping::Mmap;
pub use mount::MountError;
pub use options::Options;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub use wire::check;

use super::Bus;
use crate::{Client, Errno};
use channel::Channel;
use mapping::{Mappings, try_passthrough};
use mount::{Granted, MountPoint};
use serve::Service;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tree::{Owner, Tree};
use workers::Workers;

/// How long operations that were interrupted may take until unmounting goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// A mounted directory, served until it is unmounted, from here or by `umount(8)`.
///
/// ```no_run
/// use fops_runtime::host::{Bus, Devices, fuse::{Options, Server}};
///
/// let bus = Bus::new("platform", Devices::new());
/// // .. register drivers, add devices, bind them ..
/// let server = Server::mount("/tmp/devices", &bus, Options::new())?;
/// eprintln!("/tmp/devices: {}", server.mmap());
/// server.wait(); // until `umount /tmp/devices`
/// # Ok::<(), fops_runtime::host::fuse::MountError>(())
/// ```
pub struct Server {
    mount: MountPoint,
    mmap: Mmap,
    mmap_reason: String,
    service: Arc<Service>,
    workers: Arc<Workers>,
    /// Taken when it is unmounted: the only reference that lasts.
    channel: Mutex<Option<Arc<Channel>>>,
}

impl Server {
    /// Mounts `directory`, which has to exist, and serves the bus and its [`Devices`](super::Devices) there. When it
    /// returns, the directory answers.
    ///
    /// Mounts by itself where it may (as root, or with `CAP_SYS_ADMIN` in a user namespace), else through
    /// `fusermount3`.
    ///
    /// # Errors
    /// What is missing, in one line with what to do.
    pub fn mount(directory: impl AsRef<Path>, bus: &Arc<Bus>, options: Options) -> Result<Self, MountError> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let owner = Owner { uid, gid, allow_other: options.allow_other };
        let (fuse, mount) = mount::mount(directory.as_ref(), owner)?;
        let served = Self::serve(fuse, bus, owner, options);
        match served {
            Ok((service, workers, channel, (mmap, mmap_reason))) => {
                tracing::info!("{}: mounted; {mmap}: {mmap_reason}", mount.path.display());
                Ok(Self { mount, mmap, mmap_reason, service, workers, channel: Mutex::new(Some(channel)) })
            }
            Err(error) => {
                mount.detach();
                Err(error)
            }
        }
    }

    #[expect(clippy::type_complexity, reason = "taken apart at once, by the only caller")]
    fn serve(
        fuse: rustix::fd::OwnedFd,
        bus: &Arc<Bus>,
        owner: Owner,
        options: Options,
    ) -> Result<(Arc<Service>, Arc<Workers>, Arc<Channel>, (Mmap, String)), MountError> {
        let channel = Channel::new(fuse).map_err(|error| MountError::System("set up the channel", error.into()))?;
        let granted = mount::greet(&channel, options.mmap)?;
        let (mmap, reason) = choose(options.mmap, &granted, || try_passthrough(&channel));
        let channel = Arc::new(channel);
        let tree = Tree::new(bus.clone(), owner, options.char_uevent);
        let service = Arc::new(Service::new(tree, Mappings::new(mmap)));
        let workers = Arc::new(Workers::default());
        workers
            .start(&service, &Arc::downgrade(&channel))
            .map_err(|error| MountError::System("start a thread", error))?;
        Ok((service, workers, channel, (mmap, reason)))
    }

    /// Where it is mounted: an absolute path.
    pub fn path(&self) -> &Path {
        &self.mount.path
    }

    /// How `mmap(2)` of the nodes works here.
    pub const fn mmap(&self) -> Mmap {
        self.mmap
    }

    /// Why it works in that way, as a phrase.
    pub fn mmap_reason(&self) -> &str {
        &self.mmap_reason
    }

    /// Blocks until it is unmounted.
    pub fn wait(&self) {
        self.workers.wait();
    }

    /// Waits until no file of its nodes is open, for at most `limit`. Returns who opened those that there are then, each
    /// as often as it did; a process that it has since left them to is not known.
    ///
    /// Between unplug and [`unmount`](Self::unmount): until its last close a file answers `ENODEV`, afterwards
    /// `ENOTCONN`.
    pub fn wait_for_close(&self, limit: Duration) -> Vec<Client> {
        self.service.files.wait_for_close(limit)
    }

    /// Unmounts it, with files open too: whatever is asked of those from then on gets an error from the kernel.
    ///
    /// Operations in flight are interrupted; one that heeds no interrupt for 2 seconds is logged, and left to
    /// end on its own thread. Unplug devices first to have them answer `ENODEV`. Does nothing the second time.
    pub fn unmount(&self) {
        let Some(channel) = self.channel.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let join = || {
            channel.stop();
            let left = self.workers.join(PATIENCE, || self.service.interrupt_all());
            if left > 0 {
                tracing::warn!("{}: {left} operations in flight heed no interrupt", self.mount.path.display());
            }
        };
        if self.workers.is_closed() {
            join();
        } else if self.mount.by_helper {
            // While the workers answer: the helper asks for the attributes of what it unmounts.
            self.mount.detach();
            join();
        } else {
            join();
            self.mount.detach();
        }
        // With the last reference the kernel ends what clients still wait for. Only then files are released.
        drop(channel);
        drop(self.service.files.take_all());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.unmount();
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("path", &self.mount.path).field("mmap", &self.mmap).finish_non_exhaustive()
    }
}

/// The best way to map that there is, or `wanted` and no other; and why.
fn choose(
    wanted: Option<Mmap>,
    granted: &Granted,
    try_passthrough: impl FnOnce() -> Result<(), Errno>,
) -> (Mmap, String) {
    let passthrough = match wanted {
        None | Some(Mmap::Passthrough) if granted.passthrough => try_passthrough().map_err(|errno| match errno {
            Errno::EPERM => "passthrough is for root alone".to_owned(),
            errno => format!("the kernel refuses passthrough: {errno}"),
        }),
        None | Some(Mmap::Passthrough) => Err("the kernel has no passthrough, which came with Linux 6.9".to_owned()),
        Some(_) => Err("as asked for".to_owned()),
    };
    match (wanted, passthrough) {
        (_, Ok(())) => (Mmap::Passthrough, "the kernel grants passthrough".to_owned()),
        (Some(Mmap::None | Mmap::Passthrough), Err(reason)) => (Mmap::None, reason),
        (_, Err(reason)) if granted.direct_io_mmap => (Mmap::PageCache, reason),
        (_, Err(_)) => (Mmap::None, "the kernel maps no such files, which came with Linux 6.6".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_way_is_chosen() {
        let all = Granted { direct_io_mmap: true, passthrough: true };
        let old = Granted { direct_io_mmap: false, passthrough: false };
        let chosen = |wanted, granted, errno: Result<(), Errno>| choose(wanted, granted, || errno).0;
        assert_eq!(chosen(None, &all, Ok(())), Mmap::Passthrough);
        assert_eq!(chosen(None, &all, Err(Errno::EPERM)), Mmap::PageCache);
        assert_eq!(chosen(None, &old, Ok(())), Mmap::None);
        assert_eq!(chosen(Some(Mmap::PageCache), &all, Ok(())), Mmap::PageCache);
        assert_eq!(chosen(Some(Mmap::Passthrough), &all, Err(Errno::EPERM)), Mmap::None);
        assert_eq!(chosen(Some(Mmap::None), &all, Ok(())), Mmap::None);
    }
}
