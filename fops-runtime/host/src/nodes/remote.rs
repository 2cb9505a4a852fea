//! A node that another process serves, as a client sees it: each operation is a system call on its file.
use crate::nodes::devices::Devices;
use crate::nodes::erased::{AnyDevice, AnyFile};
use crate::nodes::node::Node;
use crate::nodes::registration::{Registration, Table};
use fops_runtime::{
    Cause, Command, Errno, IoctlArg, Op, OpenFlags, PollEvents, Poller, Result, SeekFrom, UserSliceReader,
    UserSliceWriter, VmArea,
};
use rustix::event::{PollFd, PollFlags};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags};
use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Instant;

struct RemoteDevice(PathBuf);

struct RemoteFile {
    fd: OwnedFd,
    flags: OpenFlags,
}

impl Node {
    /// The node with this file.
    pub(crate) fn remote(path: &Path) -> Arc<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let table: Weak<dyn Table> = Weak::<Devices>::new();
        Arc::new(Self::of_any(name, None, Box::new(RemoteDevice(path.into())), None, Registration::new(table)))
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

impl AnyDevice for RemoteDevice {
    fn open(&self, _: u64, flags: OpenFlags) -> Result<Box<dyn AnyFile>> {
        let how = OFlags::from_bits_retain(flags.bits()) | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&self.0, how, Mode::empty()).map_err(|error| match error {
            // Its file has gone with it.
            rustix::io::Errno::NOENT => Errno::ENODEV,
            error => errno(error),
        })?;
        Ok(Box::new(RemoteFile { fd, flags }))
    }

    /// Its file says so.
    fn is_unplugged(&self) -> bool {
        false
    }

    fn unplug_began(&self) -> Option<Instant> {
        None
    }

    fn ops(&self) -> &'static [Op] {
        &[]
    }

    fn lifetime_id(&self) -> u64 {
        0
    }

    fn cause(&self) -> Option<Cause> {
        None
    }

    fn downgrade(&self) -> Weak<dyn Any + Send + Sync> {
        Weak::<()>::new()
    }
}

impl RemoteFile {
    /// `poll(2)`, which sleeps if it may.
    fn poll_fd(&self, wanted: PollEvents, sleep: bool) -> Result<PollEvents> {
        let flags = PollFlags::from_bits_retain(wanted.bits() as u16);
        let mut fds = [PollFd::new(&self.fd, flags)];
        let at_once = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, if sleep { None } else { Some(&at_once) }).map_err(errno)?;
        Ok(PollEvents::from_bits(fds[0].revents().bits().into()))
    }
}

impl AnyFile for RemoteFile {
    fn flags(&self) -> OpenFlags {
        self.flags
    }

    fn set_flags(&self, flags: OpenFlags) {
        let _ = rustix::fs::fcntl_setfl(&self.fd, OFlags::from_bits_retain(flags.bits()));
    }

    fn read(&self, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        let mut bytes = vec![0; buf.remaining()];
        let n = rustix::io::read(&self.fd, &mut bytes).map_err(errno)?;
        buf.write_slice(&bytes[..n])
    }

    fn write(&self, mut buf: UserSliceReader<'_>) -> Result<usize> {
        rustix::io::write(&self.fd, buf.read_all()).map_err(errno)
    }

    fn poll(&self, requested: PollEvents, _: Option<&Arc<dyn Poller>>) -> PollEvents {
        self.poll_fd(requested, false).unwrap_or(PollEvents::ERR)
    }

    fn sleep_in_poll(&self, wanted: PollEvents) -> Option<Result<PollEvents>> {
        Some(self.poll_fd(wanted, true))
    }

    fn ioctl(&self, command: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        let argument = if command.size() == 0 { arg.value() } else { arg.data_mut().as_mut_ptr().expose_provenance() };
        // SAFETY: the data of `arg` is as long as `command` says, and no other reference to it is used meanwhile.
        let value = unsafe { libc::ioctl(self.fd.as_raw_fd(), command.raw() as _, argument) };
        if value < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok(value) }
    }

    fn compat_ioctl(&self, command: Command, arg: IoctlArg<'_>) -> Result<i32> {
        self.ioctl(command, arg)
    }

    fn mmap(&self, _: &VmArea) -> Result {
        Err(Errno::EOPNOTSUPP)
    }

    fn llseek(&self, to: SeekFrom) -> Result<u64> {
        let to = match to {
            SeekFrom::Start(to) => rustix::fs::SeekFrom::Start(to),
            SeekFrom::Current(by) => rustix::fs::SeekFrom::Current(by),
            SeekFrom::End(by) => rustix::fs::SeekFrom::End(by),
            _ => return Err(Errno::EINVAL),
        };
        rustix::fs::seek(&self.fd, to).map_err(errno)
    }

    fn flush(&self) -> Result {
        Ok(())
    }

    fn has_flush(&self) -> bool {
        false
    }

    fn fsync(&self, datasync: bool) -> Result {
        let synced = if datasync { rustix::fs::fdatasync(&self.fd) } else { rustix::fs::fsync(&self.fd) };
        synced.map_err(errno)
    }

    fn release(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, mkfifoat};

    fn open(path: &Path) -> Box<dyn AnyFile> {
        RemoteDevice(path.into()).open(0, OpenFlags::RDWR).unwrap()
    }

    fn read(file: &dyn AnyFile, room: usize) -> Result<Vec<u8>> {
        let (mut buf, mut written) = (vec![0; room], 0);
        let n = file.read(UserSliceWriter::new(&mut buf, &mut written, 0))?;
        buf.truncate(n);
        Ok(buf)
    }

    #[test]
    fn an_operation_is_a_system_call_on_its_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let device = RemoteDevice(path.clone());
        assert_eq!(device.open(0, OpenFlags::RDWR).err(), Some(Errno::ENODEV), "it has gone");
        assert_eq!((device.is_unplugged(), device.lifetime_id()), (false, 0));
        std::fs::write(&path, b"abc").unwrap();
        let file = open(&path);
        assert_eq!((file.flags(), file.has_flush()), (OpenFlags::RDWR, false));
        assert_eq!(read(&*file, 3), Ok(b"abc".to_vec()));
        assert_eq!(file.write(UserSliceReader::new(b"de", 0)), Ok(2));
        for (to, at) in [(SeekFrom::Start(1), 1), (SeekFrom::Current(1), 2), (SeekFrom::End(-1), 4)] {
            assert_eq!(file.llseek(to), Ok(at));
        }
        assert_eq!(read(&*file, 3), Ok(b"e".to_vec()));
        assert_eq!(file.mmap(&VmArea::new(0, 1)), Err(Errno::EOPNOTSUPP));
        // FIOCLEX is every file's, and this one no terminal.
        for (command, answer) in [(0x5451, Ok(0)), (0x5480, Err(Errno::ENOTTY))] {
            let command = Command::from_raw(command);
            assert_eq!(file.ioctl(command, IoctlArg::new(0, &mut [])), answer);
            assert_eq!(file.compat_ioctl(command, IoctlArg::new(0, &mut [])), answer);
        }
        let null = open(Path::new("/dev/null"));
        for datasync in [false, true] {
            assert_eq!((file.fsync(datasync), null.fsync(datasync)), (Ok(()), Err(Errno::EINVAL)));
        }
    }

    #[test]
    fn a_file_that_has_nothing_is_polled_and_does_not_wait_if_told_so() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        mkfifoat(CWD, &path, Mode::RWXU).unwrap();
        let file = open(&path);
        file.set_flags(OpenFlags::RDWR | OpenFlags::NONBLOCK);
        assert_eq!((read(&*file, 1), file.poll(PollEvents::IN, None)), (Err(Errno::EAGAIN), PollEvents::EMPTY));
        assert_eq!(file.write(UserSliceReader::new(b"a", 0)), Ok(1));
        assert_eq!(file.poll(PollEvents::IN, None), PollEvents::IN);
        assert_eq!(file.sleep_in_poll(PollEvents::IN), Some(Ok(PollEvents::IN)));
    }
}
