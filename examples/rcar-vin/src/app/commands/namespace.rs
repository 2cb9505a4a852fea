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

    /// Puts the nodes in `root`/dev into `/dev`, and what is in `root`/sys into `/sys`, beside what there is.
    pub(super) fn show_nodes(&self, root: &Path) -> Result<(), Box<dyn Error>> {
        cover("/dev", root, |stage| fill_dev(root, stage))
            .map_err(|error| format!("cannot mount a /dev with the nodes in it: {error}"))?;
        if Path::new("/sys/dev/char").exists() {
            cover("/sys", root, |stage| merge(&root.join("sys"), Path::new("/sys"), stage))
                .map_err(|error| format!("cannot mount a /sys with the nodes in it: {error}"))?;
        } else {
            crate::log::complain(format_args!("there is no /sys/dev/char: v4l-utils may not recognise the nodes"));
        }
        Ok(())
    }
}

/// Mounts another directory over `target`, once it is filled. The old one itself is left alone: a new name in it would be
/// seen by everybody.
fn cover(target: &str, root: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    // What is carried over goes through a directory that is not covered: a second tmpfs.
    let stage = root.with_extension("stage");
    fs::create_dir(&stage)?;
    let result = mount("tmpfs", &stage, "tmpfs", MountFlags::NOSUID | MountFlags::NOEXEC, c"mode=755")
        .map_err(io::Error::from)
        .and_then(|()| fill(&stage))
        .and_then(|()| Ok(mount_bind_recursive(&stage, target)?));
    // Nobody needs it here any more, whatever came of it.
    let _ = rustix::mount::unmount(&stage, rustix::mount::UnmountFlags::DETACH);
    let _ = fs::remove_dir(&stage);
    result
}

/// A link to each served node, by its name and by its number, and the rest of the old `/dev`.
fn fill_dev(root: &Path, stage: &Path) -> io::Result<()> {
    let served = root.join("dev");
    for node in fs::read_dir(&served)? {
        let name = node?.file_name();
        symlink(served.join(&name), stage.join(&name))?;
    }
    let (numbers, char) = (root.join("sys/dev/char"), stage.join("char"));
    fs::create_dir(&char)?;
    for number in fs::read_dir(&numbers)? {
        let number = number?.file_name();
        // All but 0:0, which stands for all files.
        if let Ok(target) = fs::read_link(numbers.join(&number))
            && let Some(name) = target.file_name()
        {
            symlink(Path::new("..").join(name), char.join(&number))?;
        }
    }
    if let Ok(old) = fs::read_dir("/dev/char") {
        carry_all(old, &char)?;
    }
    carry_all(fs::read_dir("/dev")?, stage)
}

/// What is in `ours` and what is in `theirs`, in one tree: a directory of both is one directory, else ours is seen.
fn merge(ours: &Path, theirs: &Path, stage: &Path) -> io::Result<()> {
    for entry in fs::read_dir(ours)? {
        let entry = entry?;
        let [our, their, new] = [ours, theirs, stage].map(|directory| directory.join(entry.file_name()));
        if entry.file_type()?.is_dir() && fs::symlink_metadata(&their).is_ok_and(|their| their.is_dir()) {
            fs::create_dir(&new)?;
            merge(&our, &their, &new)?;
        } else {
            carry(&entry, &new)?;
        }
    }
    carry_all(fs::read_dir(theirs)?, stage)
}

/// Carries over what the stage has no such name for.
fn carry_all(old: fs::ReadDir, stage: &Path) -> io::Result<()> {
    for entry in old {
        let entry = entry?;
        let new = stage.join(entry.file_name());
        if fs::symlink_metadata(&new).is_err()
            && let Err(error) = carry(&entry, &new)
        {
            tracing::debug!("{} is missing below the new mount: {error}", entry.path().display());
        }
    }
    Ok(())
}

/// The same thing under another name.
fn carry(entry: &fs::DirEntry, new: &Path) -> io::Result<()> {
    let (old, kind) = (entry.path(), entry.file_type()?);
    if kind.is_symlink() {
        symlink(fs::read_link(&old)?, new)
    } else if kind.is_dir() {
        fs::create_dir(new).and_then(|()| Ok(mount_bind_recursive(&old, new)?))
    } else {
        rustix::fs::open(new, OFlags::CREATE | OFlags::CLOEXEC | OFlags::WRONLY, Mode::RUSR)?;
        Ok(mount_bind(&old, new)?)
    }
}
