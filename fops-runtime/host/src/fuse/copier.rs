//! A process that copies from and to the memory of one caller.
//!
//! Another file system may have to provide a page of that memory, and may never do so. A thread that copies such a page
//! cannot be killed, and neither can its process. So a copier is a process of its own. It is a fork of the server, has no
//! files but the caller's memory and a socket, and does nothing but copy. The server can end while a copier waits. The
//! copier ends when its page comes, or when that file system goes.
//!
//! In the fork there is one thread. Another one may have held any lock at that moment, that of the heap too: so what runs
//! there takes no lock, no memory, and calls nothing but the system.
use super::memory::Memory;
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Errno, Result};
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};
use std::collections::BTreeMap;
use std::fs::File;
use std::ptr;

/// How many may copy at a time for one user. Only callers who keep theirs waiting for a page get that far, and they keep
/// nobody else's.
const COPIERS: usize = 64;

/// How much is copied at a time, in bytes.
pub(super) const PIECE: usize = 16 << 10;

/// What comes before the data of a job: what to do, where, and with how much.
const HEADER: usize = 1 + 8 + 4;
const READ: u8 = 0;
const WRITE: u8 = 1;

/// What comes before the data of an answer: 0, or the number of the error.
const STATUS: usize = 4;

/// A copy of at most [`PIECE`] bytes.
pub(super) enum Job<'a> {
    Read { address: u64, len: usize },
    Write { address: u64, data: &'a [u8] },
}

/// A process that copies for one request, until this is dropped.
pub(super) struct Copier {
    socket: OwnedFd,
    process: libc::pid_t,
    /// Whether it has a job that it has not answered.
    busy: bool,
    /// Until it has ended.
    running: Option<Running>,
}

impl Copier {
    /// One for `memory`, on behalf of `user`.
    ///
    /// # Errors
    /// `ENOMEM`: the user has too many that wait for a page, or the system has no process or file for it.
    pub(super) fn start(memory: &Memory, user: u32) -> Result<Self> {
        Given::reap();
        let running = Running::begin(user)?;
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (socket, theirs) = pair.map_err(|_| Errno::ENOMEM)?;
        let process = fork(|| serve(&theirs, memory))?;
        Ok(Self { socket, process, busy: false, running: Some(running) })
    }

    /// Becomes readable with the answer.
    pub(super) fn answered(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Has it do `job`. The last one has been answered.
    pub(super) fn begin(&mut self, job: &Job<'_>) -> Result {
        let mut message = Vec::with_capacity(HEADER + PIECE);
        let (what, address, len, data) = match *job {
            Job::Read { address, len } => (READ, address, len, &[][..]),
            Job::Write { address, data } => (WRITE, address, data.len(), data),
        };
        message.push(what);
        message.extend(address.to_ne_bytes());
        message.extend((len as u32).to_ne_bytes());
        message.extend(data);
        self.busy = true;
        // It waits for a job, and one has room.
        send(&self.socket, &message, SendFlags::NOSIGNAL | SendFlags::DONTWAIT).map_err(|_| Errno::EFAULT)?;
        Ok(())
    }

    /// The answer: what was read goes into `out`. `None` if there is none yet.
    pub(super) fn answer(&mut self, out: &mut [u8]) -> Option<Result> {
        let mut message = [0; STATUS + PIECE];
        let len = match recv(&self.socket, &mut message, RecvFlags::DONTWAIT) {
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            received => received.map_or(0, |(len, _)| len),
        };
        self.busy = false;
        let (status, data) = message[..len].split_at_checked(STATUS).unwrap_or_default();
        // Without a status, it has ended.
        let status = status.try_into().map_or(Errno::EFAULT.raw(), i32::from_ne_bytes);
        Some(match status {
            0 if data.len() == out.len() => {
                out.copy_from_slice(data);
                Ok(())
            }
            0 => Err(Errno::EFAULT),
            errno => Err(Errno::from_raw(errno)),
        })
    }
}

impl Drop for Copier {
    fn drop(&mut self) {
        // SAFETY: our child; it is not waited for until below, so the number is its own.
        unsafe { libc::kill(self.process, libc::SIGKILL) };
        if self.busy {
            // It may wait for its page for ever.
            Given::up(self.process, self.running.take());
        } else {
            // It waits for a job, which nothing keeps it from leaving.
            wait(self.process, 0);
        }
    }
}

/// Copiers that were killed while they waited for a page.
struct Given {
    process: libc::pid_t,
    _running: Option<Running>,
}

static GIVEN_UP: Lock<Vec<Given>> = Lock::new(Vec::new());

impl Given {
    fn up(process: libc::pid_t, running: Option<Running>) {
        GIVEN_UP.lock().push(Self { process, _running: running });
        Self::reap();
    }

    /// Takes the ends of those that have ended. Until then they count for their users.
    fn reap() {
        GIVEN_UP.lock().retain(|given| !wait(given.process, libc::WNOHANG));
    }
}

/// How many copiers run for each user.
static RUNNING: Lock<BTreeMap<u32, usize>> = Lock::new(BTreeMap::new());

/// A copier that runs for a user, on unwinding too.
struct Running(u32);

impl Running {
    fn begin(user: u32) -> Result<Self> {
        let mut running = RUNNING.lock();
        let count = running.entry(user).or_default();
        if *count < COPIERS {
            *count += 1;
            return Ok(Self(user));
        }
        drop(running);
        log!(
            warn,
            "fuse: {COPIERS} processes copy for callers of user {user} that keep them waiting; one more gets ENOMEM"
        );
        Err(Errno::ENOMEM)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut running = RUNNING.lock();
        if let Some(count) = running.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                running.remove(&self.0);
            }
        }
    }
}

/// Runs `child` in a process of its own, which ends with it. No signal is delivered there but `SIGKILL`, and its end is told
/// to nobody who has not asked for it by [`wait`]: what the program does with its own children does not meet it.
fn fork(child: impl FnOnce()) -> Result<libc::pid_t> {
    /// Ends the process, on unwinding too.
    struct End;

    impl Drop for End {
        fn drop(&mut self) {
            // SAFETY: it ends this process, which has nothing to clean up.
            unsafe { libc::_exit(0) };
        }
    }

    // Handlers of signals are the program's, and write to files that are not there.
    // SAFETY: sets of signals are plain data, and zero is one.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: `all` is valid for a write.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: the sets are valid for a read and for a write.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, &raw mut before) } != 0 {
        return Err(Errno::EIO);
    }
    // Without the handlers of fork(3): they wait for locks, and prepare for a child that lives on.
    // SAFETY: a fork without flags. The child runs on a copy of everything, and `child` takes no lock in it.
    let process = unsafe { libc::syscall(libc::SYS_clone, 0_usize, 0_usize, 0_usize, 0_usize, 0_usize) };
    if process == 0 {
        let _end = End;
        child();
    }
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut()) };
    // There are too many processes, or too little memory.
    libc::pid_t::try_from(process).ok().filter(|&process| process > 0).ok_or(Errno::ENOMEM)
}

/// Takes the end of a process that [`fork`] has made. Returns whether it has ended.
fn wait(process: libc::pid_t, flags: libc::c_int) -> bool {
    loop {
        // SAFETY: nothing is written.
        let ended = unsafe { libc::waitpid(process, ptr::null_mut(), flags | libc::__WALL) };
        match ended {
            0 => return false,
            -1 if std::io::Error::last_os_error().kind() == std::io::ErrorKind::Interrupted => {}
            _ => return true,
        }
    }
}

/// The life of the copier. It lasts until there is nobody to copy for.
fn serve(socket: &OwnedFd, memory: &Memory) {
    let [mem, maps] = memory.files();
    let Some([socket, mem, maps]) = keep([socket.as_fd(), mem, maps]) else { return };
    // SAFETY: the name is a string of C; whom it is to be shown to is this process alone.
    unsafe { libc::prctl(libc::PR_SET_NAME, c"fops copier".as_ptr()) };
    // It must not keep a directory busy.
    let _ = rustix::process::chdir(c"/");
    // SAFETY: these numbers are files that nothing else refers to here.
    let [socket, mem, maps] = unsafe { [socket, mem, maps].map(|fd| OwnedFd::from_raw_fd(fd)) };
    let mut memory = Memory::of(File::from(mem), File::from(maps));
    let (mut message, mut answer) = ([0; HEADER + PIECE], [0; STATUS + PIECE]);
    loop {
        let len = match recv(&socket, &mut message, RecvFlags::empty()) {
            Ok((len @ 1.., _)) => len,
            _ => return,
        };
        let Some((data, result)) = copy(&mut memory, message.get(..len).unwrap_or_default(), &mut answer) else {
            return;
        };
        let status = result.map_or_else(Errno::raw, |()| 0);
        answer[..STATUS].copy_from_slice(&status.to_ne_bytes());
        let Some(answer) = answer.get(..STATUS + data) else { return };
        if send(&socket, answer, SendFlags::NOSIGNAL).is_err() {
            return;
        }
    }
}

/// One job. Returns how much has been put into the answer, and whether all is well; `None` if the job makes no sense.
fn copy(memory: &mut Memory, message: &[u8], answer: &mut [u8; STATUS + PIECE]) -> Option<(usize, Result)> {
    let (&[what], rest) = message.split_first_chunk::<1>()?;
    let (&address, rest) = rest.split_first_chunk::<8>()?;
    let (&len, data) = rest.split_first_chunk::<4>()?;
    let (address, len) = (u64::from_ne_bytes(address), u32::from_ne_bytes(len) as usize);
    match what {
        READ => {
            let out = answer.get_mut(STATUS..STATUS + len.min(PIECE))?;
            let len = out.len();
            match memory.read(address, out) {
                Ok(()) => Some((len, Ok(()))),
                Err(errno) => Some((0, Err(errno))),
            }
        }
        WRITE => Some((0, memory.write(address, data))),
        _ => None,
    }
}

/// Closes all files but these, and returns their numbers.
fn keep(files: [BorrowedFd<'_>; 3]) -> Option<[RawFd; 3]> {
    const ABOVE: RawFd = 3;
    // First out of the way of one another.
    // SAFETY: these calls deal in numbers. What they close belongs to this process alone, which uses nothing of it.
    let copies = files.map(|file| unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD, ABOVE) });
    for (number, &copy) in (0..).zip(&copies) {
        // SAFETY: as above.
        if copy < 0 || unsafe { libc::dup2(copy, number) } != number {
            return None;
        }
    }
    // SAFETY: as above.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, ABOVE, libc::c_uint::MAX, 0) };
    (closed == 0).then_some([0, 1, 2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_takes_no_other_users_copiers() {
        let (greedy, other) = (u32::MAX, u32::MAX - 1);
        let all: Vec<_> = (0..COPIERS).map(|_| Running::begin(greedy).unwrap()).collect();
        assert_eq!(Running::begin(greedy).err(), Some(Errno::ENOMEM));
        assert!(Running::begin(other).is_ok());
        drop(all);
        assert!(Running::begin(greedy).is_ok());
        assert!(RUNNING.lock().keys().all(|user| ![greedy, other].contains(user)));
    }
}
