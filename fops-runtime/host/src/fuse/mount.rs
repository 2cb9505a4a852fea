//! Mounting: by mount(2) where that is allowed, else through `fusermount3`; and the first words on the channel.
use super::abi::*;
use super::channel::{Channel, Kernel, Received};
use super::mapping::Mmap;
use super::pages::Pages;
use super::reply::Reply;
use super::request::{Operation, parse};
use super::tree::Owner;
use crate::log::log;
use fops_runtime::Errno;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, StatxFlags};
use rustix::io::Errno as Sys;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::ffi::{CString, OsString};
use std::fmt;
use std::fs;
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Why a directory could not be mounted.
///
/// Displays as one line: what is missing, and what to do.
#[derive(Debug)]
#[non_exhaustive]
pub enum MountError {
    /// The kernel has no FUSE, or this container does not have its device.
    NoDevice,
    /// The mount point is no directory.
    NotADirectory(PathBuf),
    /// Its former server died without unmounting it.
    Stale(PathBuf),
    /// Something is served there already.
    InUse(PathBuf),
    /// This process may not mount, and there is no `fusermount3` to do it.
    NoFusermount,
    /// `fusermount3` refused, for this reason.
    Fusermount(String),
    /// The kernel speaks an older protocol: its minor version.
    TooOld(u32),
    /// A system call failed: what for, and its error.
    System(&'static str, std::io::Error),
}

impl fmt::Display for MountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoDevice => f.write_str(
                "no /dev/fuse here: run `modprobe fuse` as root, or start the container with `--device /dev/fuse`",
            ),
            Self::NotADirectory(path) => {
                write!(f, "cannot mount on {0}: it is no directory; run `mkdir -p {0}`", path.display())
            }
            Self::Stale(path) => {
                write!(
                    f,
                    "{0} is left from a server that died: run `umount -l {0}`, or `fusermount3 -uz {0}`",
                    path.display()
                )
            }
            Self::InUse(path) => write!(
                f,
                "{0} is in use by another server: end that first, or mount on another directory",
                path.display()
            ),
            Self::NoFusermount => f.write_str(
                "no permission to mount, and no fusermount3 to ask: run as root, or install the package fuse3",
            ),
            Self::Fusermount(reason) => {
                write!(f, "fusermount3 refused to mount: {reason}; run as root to do without it")
            }
            Self::TooOld(minor) => {
                write!(f, "the kernel's FUSE is version 7.{minor}: 7.{OLDEST_MINOR} is needed, as of Linux 5.4")
            }
            Self::System(what, error) => write!(f, "cannot {what}: {error}"),
        }
    }
}

impl std::error::Error for MountError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::System(_, error) => Some(error),
            _ => None,
        }
    }
}

fn system<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> MountError {
    move |error| MountError::System(what, error.into())
}

/// A directory that is mounted.
pub(super) struct MountPoint {
    pub(super) path: PathBuf,
    /// Whether `fusermount3` did it, and has to undo it.
    pub(super) by_helper: bool,
    /// The device number of what is mounted: no other file system has it meanwhile.
    device: Option<u64>,
}

/// Mounts, as `owner` for whom it is. Returns the channel and what unmounts.
pub(super) fn mount(path: &Path, owner: Owner) -> Result<(OwnedFd, MountPoint), MountError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {}
        Err(error) if error.raw_os_error() == Some(Sys::NOTCONN.raw_os_error()) => {
            return Err(MountError::Stale(path.into()));
        }
        _ => return Err(MountError::NotADirectory(path.into())),
    }
    // It is unmounted by this name, wherever the process has moved by then.
    let path = fs::canonicalize(path).map_err(system("find the mount point"))?;
    // Until it is mounted. Afterwards anybody sees that it is.
    let _claim = claim(&path)?;
    let mut options = String::from("default_permissions");
    if owner.allow_other {
        options.push_str(",allow_other");
    }
    match rustix::fs::open("/dev/fuse", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()) {
        Ok(fuse) => {
            let Owner { uid, gid, .. } = owner;
            let data = format!("fd={},rootmode=40755,user_id={uid},group_id={gid},{options}", fuse.as_raw_fd());
            let data = CString::new(data).expect("there are no zeros in it");
            let flags = MountFlags::NOSUID | MountFlags::NODEV;
            match rustix::mount::mount("fops", &path, "fuse.fops", flags, data.as_c_str()) {
                Ok(()) => {
                    let device = device_at(&path);
                    return Ok((fuse, MountPoint { path, by_helper: false, device }));
                }
                Err(Sys::PERM | Sys::ACCESS) => {}
                Err(Sys::NODEV) => return Err(MountError::NoDevice),
                Err(error) => return Err(system("mount")(error)),
            }
        }
        Err(Sys::NOENT | Sys::NODEV | Sys::NXIO) => return Err(MountError::NoDevice),
        // The helper may open it.
        Err(Sys::PERM | Sys::ACCESS) => {}
        Err(error) => return Err(system("open /dev/fuse")(error)),
    }
    let fuse = mount_by_helper(&path, &options)?;
    let device = device_at(&path);
    Ok((fuse, MountPoint { path, by_helper: true, device }))
}

/// Has `fusermount3` mount. It sends the channel through a socket.
fn mount_by_helper(path: &Path, options: &str) -> Result<OwnedFd, MountError> {
    let (ours, theirs) = UnixStream::pair().map_err(system("make a socket pair"))?;
    let output = Command::new("fusermount3")
        .arg("-o")
        .arg(format!("{options},fsname=fops,subtype=fops"))
        .arg("--")
        .arg(path)
        // Its standard input is the socket.
        .env("_FUSE_COMMFD", "0")
        .stdin(OwnedFd::from(theirs))
        .output();
    match output {
        Ok(output) if output.status.success() => receive_channel(&ours),
        Ok(output) => Err(MountError::Fusermount(said(&output))),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(MountError::NoFusermount),
        Err(error) => Err(system("run fusermount3")(error)),
    }
}

fn receive_channel(socket: &UnixStream) -> Result<OwnedFd, MountError> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)
        .map_err(system("receive the channel from fusermount3"))?;
    let mut messages = control.drain();
    let received = messages.find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut fds) => fds.next(),
        _ => None,
    });
    received.ok_or_else(|| MountError::Fusermount("it sent no channel".into()))
}

/// The last line that a program wrote to its standard error, without its own name.
fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it does not say why");
    line.strip_prefix("fusermount3: ").unwrap_or(line).trim().into()
}

/// Claims a directory for mounting, unless something is served there.
fn claim(path: &Path) -> Result<Option<OwnedFd>, MountError> {
    const FUSE_SUPER_MAGIC: i64 = 0x6573_5546;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // Before it is opened: a server that hangs would not answer.
    let is_fuse = rustix::fs::statfs(path).is_ok_and(|stat| stat.f_type == FUSE_SUPER_MAGIC);
    if is_fuse && is_mount_point(path) {
        return Err(MountError::InUse(path.into()));
    }
    // A directory that this process cannot read cannot be claimed; two servers that start at once are not noticed there.
    let Ok(directory) = rustix::fs::open(path, flags, Mode::empty()) else { return Ok(None) };
    // Any other error: there may be no such locks here.
    if let Err(Sys::WOULDBLOCK) = rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        return Err(MountError::InUse(path.into()));
    }
    // Another server may have mounted after the first look.
    let (opened, named) = (rustix::fs::fstat(&directory), rustix::fs::stat(path));
    match (opened, named) {
        (Ok(opened), Ok(named)) if (opened.st_dev, opened.st_ino) == (named.st_dev, named.st_ino) => {
            Ok(Some(directory))
        }
        _ => Err(MountError::InUse(path.into())),
    }
}

fn is_mount_point(path: &Path) -> bool {
    mounts().iter().any(|mount| mount.path == path)
}

/// A line of `/proc/self/mountinfo`.
struct Mounted {
    device: u64,
    path: PathBuf,
}

/// What is mounted, as proc(5) has it. Nothing where there is no `/proc`.
fn mounts() -> Vec<Mounted> {
    parse_mounts(&fs::read("/proc/self/mountinfo").unwrap_or_default())
}

fn parse_mounts(text: &[u8]) -> Vec<Mounted> {
    let parse = |line: &[u8]| {
        let mut words = line.split(|&byte| byte == b' ').skip(2);
        let (major, minor) = std::str::from_utf8(words.next()?).ok()?.split_once(':')?;
        let device = rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?);
        Some(Mounted { device, path: PathBuf::from(OsString::from_vec(unescape(words.nth(1)?))) })
    };
    text.split(|&byte| byte == b'\n').filter_map(parse).collect()
}

/// `\040` is a space.
fn unescape(word: &[u8]) -> Vec<u8> {
    let (mut bytes, mut at) = (Vec::new(), 0);
    while at < word.len() {
        let code = word.get(at + 1..at + 4).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()).filter(|_| word[at] == b'\\') {
            Some(byte) => {
                bytes.push(byte);
                at += 4;
            }
            None => {
                bytes.push(word[at]);
                at += 1;
            }
        }
    }
    bytes
}

/// The device number of the file system at `path`, which need not answer for that.
fn device_at(path: &Path) -> Option<u64> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::STATX_DONT_SYNC;
    let stat = rustix::fs::statx(rustix::fs::CWD, path, flags, StatxFlags::empty()).ok()?;
    Some(rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor))
}

impl MountPoint {
    /// Takes it out of the directory tree, with files open too. Where this process may, the kernel also ends all
    /// requests, so that nobody waits for one that nobody answers. Returns its root.
    ///
    /// A directory of that name may be another by now: what is unmounted is what was mounted.
    pub(super) fn detach(&self) -> Option<OwnedFd> {
        let found = self.find();
        let result = match &found {
            None => Err("it is not there any more".to_owned()),
            Some((path, _)) if self.by_helper => {
                let output =
                    Command::new("fusermount3").args(["-u", "-z", "--"]).arg(path).stdin(Stdio::null()).output();
                match output {
                    Ok(output) if output.status.success() => Ok(()),
                    Ok(output) => Err(said(&output)),
                    Err(error) => Err(error.to_string()),
                }
            }
            Some((path, root)) => {
                // By the open root, where there is a `/proc`: no name can be exchanged on the way.
                let link = format!("/proc/self/fd/{}", root.as_raw_fd());
                let by_root = |flags| rustix::mount::unmount(&link, flags);
                by_root(UnmountFlags::DETACH | UnmountFlags::FORCE)
                    .or_else(|_| by_root(UnmountFlags::DETACH))
                    .or_else(|_| rustix::mount::unmount(path, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW))
                    .map_err(|error| error.to_string())
            }
        };
        if let Err(reason) = result {
            log!(warn, "fuse: cannot unmount {}: {reason}", self.path.display());
        }
        found.map(|(_, root)| root)
    }

    /// Where it is now, and its root.
    fn find(&self) -> Option<(PathBuf, OwnedFd)> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let ours = |path: PathBuf| {
            let root = rustix::fs::open(&path, flags, Mode::empty()).ok()?;
            let stat =
                rustix::fs::statx(&root, c"", AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC, StatxFlags::empty());
            let device = stat.ok().map(|stat| rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor));
            (device == self.device).then_some((path, root))
        };
        let moved = || {
            mounts().into_iter().filter(|mount| Some(mount.device) == self.device).find_map(|mount| ours(mount.path))
        };
        ours(self.path.clone()).or_else(moved)
    }
}

/// What the kernel granted.
pub(super) struct Granted {
    /// Mapping the page cache of files whose reads are direct.
    pub(super) direct_io_mmap: bool,
    /// Passing files through. Whether this process may is another matter.
    pub(super) passthrough: bool,
}

/// Answers the kernel's first request, and asks it for what mapping in the way `wanted` needs.
pub(super) fn greet(channel: &Channel, wanted: Option<Mmap>) -> Result<Granted, MountError> {
    let protocol = |what: &str| MountError::System("agree on a protocol", std::io::Error::other(what.to_owned()));
    let mut buf =
        Pages::present(BUFFER).map_err(|errno| MountError::System("find memory for requests", errno.into()))?;
    let mut reply = Reply::new();
    loop {
        let len = match channel.receive(&mut buf) {
            Received::Request(len) => len,
            Received::Stopped | Received::Closed => return Err(protocol("it was unmounted at once")),
        };
        let parsed = parse(&buf[..len]).map_err(|malformed| protocol(malformed.reason))?;
        let unique = parsed.header.unique;
        let Operation::Init { args, flags2 } = parsed.operation else {
            channel.reply(reply.finish(unique, Err(Errno::EIO)));
            return Err(protocol("the first request is not the greeting"));
        };
        if args.major > FUSE_KERNEL_VERSION {
            // It says hello again with our version.
            reply.clear();
            reply.put(&InitOut { major: FUSE_KERNEL_VERSION, ..InitOut::default() });
            channel.reply(reply.finish(unique, Ok(())));
            continue;
        }
        if args.major < FUSE_KERNEL_VERSION || args.minor < OLDEST_MINOR {
            channel.reply(reply.finish(unique, Err(Errno::EPROTO)));
            return Err(MountError::TooOld(args.minor));
        }
        let flags2 = flags2
            & match wanted {
                None => FUSE_DIRECT_IO_ALLOW_MMAP | FUSE_PASSTHROUGH,
                Some(Mmap::Passthrough) => FUSE_PASSTHROUGH,
                Some(Mmap::PageCache) => FUSE_DIRECT_IO_ALLOW_MMAP,
                Some(Mmap::None) => 0,
            };
        let granted = Granted {
            direct_io_mmap: flags2 & FUSE_DIRECT_IO_ALLOW_MMAP != 0,
            passthrough: flags2 & FUSE_PASSTHROUGH != 0,
        };
        reply.clear();
        reply.put(&InitOut {
            major: FUSE_KERNEL_VERSION,
            minor: args.minor.min(MINOR),
            max_readahead: args.max_readahead.min(1 << 17),
            flags: args.flags & (FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES | FUSE_INIT_EXT),
            // Releases are background requests, and may sleep in the driver.
            max_background: 512,
            congestion_threshold: 384,
            max_write: MAX_WRITE,
            time_gran: 1,
            max_pages: (MAX_WRITE / 4096) as u16,
            flags2,
            max_stack_depth: u32::from(granted.passthrough),
            ..InitOut::default()
        });
        channel.reply(reply.finish(unique, Ok(())));
        return Ok(granted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read_as_they_are_written() {
        let text = b"22 1 0:21 / / rw - ext4 /dev/a rw\n23 22 254:3 /x /a\\040b\\134c rw shared:1 - fuse.fops fops rw\nx\n1 2 3\n";
        let mounts: Vec<_> = parse_mounts(text).into_iter().map(|mount| (mount.device, mount.path)).collect();
        let device = rustix::fs::makedev;
        assert_eq!(mounts, [(device(0, 21), "/".into()), (device(254, 3), "/a b\\c".into())]);
        assert_eq!(unescape(b"\\04"), b"\\04");
    }
}
