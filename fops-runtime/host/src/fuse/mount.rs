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
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno as Sys;
use rustix::mount::{MountFlags, UnmountFlags};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io::{ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
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
                Ok(()) => return Ok((fuse, MountPoint { path, by_helper: false })),
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
    Ok((fuse, MountPoint { path, by_helper: true }))
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

impl MountPoint {
    /// Takes it out of the directory tree, with files open too. Where this process may, the kernel also ends all
    /// requests, so that nobody waits for one that nobody answers.
    pub(super) fn detach(&self) {
        let result = if self.by_helper {
            let output =
                Command::new("fusermount3").args(["-u", "-z", "--"]).arg(&self.path).stdin(Stdio::null()).output();
            match output {
                Ok(output) if output.status.success() => Ok(()),
                Ok(output) => Err(said(&output)),
                Err(error) => Err(error.to_string()),
            }
        } else {
            rustix::mount::unmount(&self.path, UnmountFlags::DETACH | UnmountFlags::FORCE)
                .or_else(|_| rustix::mount::unmount(&self.path, UnmountFlags::DETACH))
                .map_err(|error| error.to_string())
        };
        if let Err(reason) = result {
            log!(warn, "fuse: cannot unmount {}: {reason}", self.path.display());
        }
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
    let mut buf = Pages::new(BUFFER).map_err(|errno| MountError::System("find memory for requests", errno.into()))?;
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
