//! A mounted directory that is served.
use super::channel::{Channel, Kernel};
use super::mapping::{Mappings, Mmap, try_passthrough};
use super::mount::{self, Granted, MountError, MountPoint};
use super::options::Options;
use super::serve::Service;
use super::tree::{Owner, Tree};
use super::workers::Workers;
use crate::bus::bus_type::Bus;
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Client, Errno};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long operations that were interrupted may take until unmounting goes on without them.
const PATIENCE: Duration = Duration::from_secs(2);

/// A mounted directory, served until it is unmounted, from here or by `umount(8)`.
///
/// ```no_run
/// use fops_host::{Bus, Devices, fuse::{Options, Server}};
///
/// let bus = Bus::new("platform", Devices::new());
/// // .. register drivers, add devices, bind them ..
/// let server = Server::mount("/tmp/devices", &bus, Options::new())?;
/// eprintln!("/tmp/devices: {}", server.mmap());
/// server.wait(); // until `umount /tmp/devices`
/// # Ok::<(), fops_host::fuse::MountError>(())
/// ```
pub struct Server {
    mount: MountPoint,
    mmap: Mmap,
    mmap_reason: String,
    service: Arc<Service>,
    workers: Arc<Workers>,
    /// Taken when it is unmounted: the only reference that lasts.
    channel: Lock<Option<Arc<Channel>>>,
}

impl Server {
    /// Mounts `directory`, which has to exist, and serves the bus and its [`Devices`](crate::nodes::devices::Devices) there. When it
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
                log!(info, "{}: mounted; {mmap}: {mmap_reason}", mount.path.display());
                Ok(Self { mount, mmap, mmap_reason, service, workers, channel: Lock::new(Some(channel)) })
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
        let tree = Tree::new(bus.clone(), owner);
        let service = Arc::new(Service::new(tree, Mappings::new(mmap)));
        let workers = Arc::new(Workers::new(options.operations_per_user));
        if let Err(errno) = workers.start(&service, &Arc::downgrade(&channel)) {
            channel.stop();
            service.keeper.stop(None);
            workers.join(Duration::ZERO);
            return Err(MountError::System("start a thread", errno.into()));
        }
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

    /// Unmounts it, with files open too: whatever is asked of those from then on gets an error.
    ///
    /// It unmounts what it mounted, wherever that has been moved, and nothing else.
    ///
    /// Operations in flight are interrupted; one that heeds no interrupt for 2 seconds is logged, and left to
    /// end on its own thread. Unplug devices first to have them answer `ENODEV`. Does nothing the second time.
    pub fn unmount(&self) {
        let Some(channel) = self.channel.lock().take() else { return };
        let kernel: Weak<dyn Kernel> = Arc::<Channel>::downgrade(&channel);
        let left = self.workers.settle(PATIENCE, || self.service.interrupt_all(&kernel));
        if left > 0 {
            log!(warn, "{}: {left} operations in flight heed no interrupt", self.mount.path.display());
        }
        // While readers answer: a helper asks for the attributes of what it unmounts.
        let root = if self.workers.is_closed() { None } else { self.mount.detach() };
        channel.stop();
        self.service.keeper.stop(root);
        self.workers.join(PATIENCE / 2);
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
