//! A private view of the system, in which the files that are served are in `/dev`.
use rustix::fs::{Mode, OFlags};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_bind_recursive, mount_change};
use rustix::thread::UnshareFlags;
use std::error::Error;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// The process is in a mount namespace of its own: what it mounts is its own and its children's.
pub(super) struct Namespace(());

impl Namespace {
    /// Enters it: as root directly, else in a user namespace in which this user is still itself.
    pub(super) fn enter() -> Result<Self, Box<dyn Error>> {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let flags = if uid.is_root() { UnshareFlags::NEWNS } else { UnshareFlags::NEWNS | UnshareFlags::NEWUSER };
        // SAFETY: no thread of this process can be left with another table of descriptors: it shares them as before.
        let entered = unsafe { rustix::thread::unshare_unsafe(flags) };
        entered.map_err(|error| {
            format!("cannot enter a mount namespace of its own: {error}; run as root, or allow user namespaces")
        })?;
        if !uid.is_root() {
            let (uid, gid) = (uid.as_raw(), gid.as_raw());
            fs::write("/proc/self/setgroups", "deny")?;
            fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
            fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))?;
        }
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).map_err(|error| format!("cannot make mounts private: {error}"))?;
        Ok(Self(()))
    }

    /// Puts the nodes in `root`/dev into `/dev`, and what v4l-utils look up about them into `/sys`.
    pub(super) fn show_nodes(&self, root: &Path) -> Result<(), Box<dyn Error>> {
        cover_dev(root).map_err(|error| format!("cannot mount a /dev with the nodes in it: {error}"))?;
        let (ours, theirs) = (root.join("sys/dev/char"), Path::new("/sys/dev/char"));
        if theirs.exists() {
            mount_bind(&ours, theirs).map_err(|error| format!("cannot mount over {}: {error}", theirs.display()))?;
        } else {
            eprintln!("rcar-vin: there is no {}: v4l-utils may not recognise the nodes", theirs.display());
        }
        Ok(())
    }
}

/// A `/dev` like the old one, with a link to each served node in it. The old one itself is left alone: a new name
/// in it would be seen by everybody.
fn cover_dev(root: &Path) -> io::Result<()> {
    // The nodes are carried over through a directory that is not covered: a second tmpfs.
    let stage = root.with_extension("dev");
    fs::create_dir(&stage)?;
    let result = fill_stage(root, &stage).and_then(|()| Ok(mount_bind_recursive(&stage, "/dev")?));
    // Nobody needs it here any more, whatever came of it.
    let _ = rustix::mount::unmount(&stage, rustix::mount::UnmountFlags::DETACH);
    let _ = fs::remove_dir(&stage);
    result
}

fn fill_stage(root: &Path, stage: &Path) -> io::Result<()> {
    mount("tmpfs", stage, "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=755")?;
    let served = root.join("dev");
    for node in fs::read_dir(&served)? {
        let name = node?.file_name();
        symlink(served.join(&name), stage.join(&name))?;
    }
    for entry in fs::read_dir("/dev")? {
        let entry = entry?;
        let (old, new) = (entry.path(), stage.join(entry.file_name()));
        // A node of that name is covered by ours.
        if fs::symlink_metadata(&new).is_ok() {
            continue;
        }
        let kind = entry.file_type()?;
        let carried = if kind.is_symlink() {
            symlink(fs::read_link(&old)?, &new)
        } else if kind.is_dir() {
            fs::create_dir(&new).and_then(|()| Ok(mount_bind_recursive(&old, &new)?))
        } else {
            let empty = rustix::fs::open(&new, OFlags::CREATE | OFlags::CLOEXEC | OFlags::WRONLY, Mode::RUSR);
            empty.map_err(Into::into).and_then(|_| Ok(mount_bind(&old, &new)?))
        };
        if let Err(error) = carried {
            tracing::debug!("{} is missing in the new /dev: {error}", old.display());
        }
    }
    Ok(())
}
