//! The memory of the process behind a request: what the pointers inside an ioctl's argument point to.
//!
//! Whose it is: the header names the calling thread, which the kernel holds until its request is answered or the
//! connection breaks. So what `/proc/<thread>` was found to be while the connection was whole is the caller, and
//! an open `/proc/<thread>/mem` is bound to that memory for good, whoever gets the number later
//! (`process_vm_readv(2)` would look the number up once more each time).
//!
//! How long it takes: a page of it may be one that another file system, or the caller's own page fault handler, has
//! to provide, and never does. So a thread of its own copies, and the operation waits for it as for anything else:
//! unplug and signals wake it. That thread holds none of this process's files: if the process is killed, the
//! channel is closed even while the thread waits for a page, and with it what it waits for if the page is one of
//! ours. Such a page is served by a worker like any other. (The server itself must not be the caller then: it would
//! hold the lock of the very memory that its workers run in.)
use super::channel::Kernel;
use super::memory::Memory;
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Errno, Request, Result, UserMemory, WaitQueue};
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Once, Weak};
use std::thread;
use std::time::Duration;

/// How many threads may copy at a time for one user. Only callers who keep theirs waiting for a page get that far, and they
/// keep nobody else's.
const COPIERS: usize = 64;
/// How long a copy goes on for a caller that got a signal.
const GRACE: Duration = Duration::from_millis(200);

/// The caller of one request.
pub(super) struct Caller<'a> {
    /// The number of its thread, or why its memory cannot be found.
    thread: Result<u32, &'static str>,
    /// Its user's number.
    user: u32,
    kernel: &'a Weak<dyn Kernel>,
    copier: Lock<Option<Copier>>,
}

impl<'a> Caller<'a> {
    /// The caller that a request's header names as `thread` of `user`, where [`numbers_agree`].
    pub(super) fn new(agree: Result<(), &'static str>, thread: u32, user: u32, kernel: &'a Weak<dyn Kernel>) -> Self {
        let seen = if thread == 0 { Err("the caller is in another pid namespace") } else { Ok(thread) };
        Self { thread: agree.and(seen), user, kernel, copier: Lock::new(None) }
    }

    /// Has the copier do `job`. Its result is [`Job::Read`]'s data.
    fn run(&self, job: Job) -> Result<Vec<u8>> {
        let mut copier = self.copier.lock();
        // One that was given up, by an error here, has an answer to come that is not ours.
        let current = match copier.take() {
            Some(current) => current,
            None => self.start()?,
        };
        // It ends only when the sender is dropped.
        current.jobs.send(job).map_err(|_| Errno::EFAULT)?;
        let result = current.desk.wait()?;
        *copier = Some(current);
        result
    }

    fn start(&self) -> Result<Copier> {
        static SAID: Once = Once::new();
        let thread = self.thread.map_err(|reason| {
            SAID.call_once(|| log!(warn, "fuse: {reason}: what the pointers in ioctl arguments name gets EFAULT"));
            Errno::EFAULT
        })?;
        let copier = Copier::start(thread, self.user)?;
        // Its first answer: whether it has the memory.
        copier.desk.wait()?.map_err(|errno| refused(errno, thread))?;
        // Until now the number was the caller's: from here on the memory is.
        match self.kernel.upgrade() {
            Some(kernel) if kernel.is_waiting() => Ok(copier),
            _ => Err(Errno::EFAULT),
        }
    }
}

/// Says why, once for each reason. The caller gets `EFAULT`, unless it is this process that lacks something.
fn refused(errno: Errno, thread: u32) -> Errno {
    static DENIED: Once = Once::new();
    static OTHER: Once = Once::new();
    match errno {
        Errno::ENOMEM => return errno,
        Errno::EPERM | Errno::EACCES => DENIED.call_once(|| {
            log!(
                warn,
                "fuse: may not look into the memory of its caller {thread}, which gets EFAULT for the pointers it \
                 passes: run as root, or as the same user with kernel.yama.ptrace_scope=0"
            );
        }),
        _ => OTHER.call_once(|| {
            log!(warn, "fuse: cannot look into the memory of its caller {thread}, which gets EFAULT: {errno}");
        }),
    }
    Errno::EFAULT
}

impl UserMemory for Caller<'_> {
    fn read(&self, address: u64, out: &mut [u8]) -> Result {
        out.copy_from_slice(&self.run(Job::Read { address, len: out.len() })?);
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Result {
        self.run(Job::Write { address, data: data.to_vec() }).map(drop)
    }
}

enum Job {
    Read { address: u64, len: usize },
    Write { address: u64, data: Vec<u8> },
}

/// A thread that copies for one request, until this is dropped and it is done with what it does.
struct Copier {
    jobs: Sender<Job>,
    desk: Arc<Desk>,
}

/// Where the copier leaves its answers.
#[derive(Default)]
struct Desk {
    answer: Lock<Option<Result<Vec<u8>>>>,
    answered: WaitQueue,
}

impl Desk {
    fn put(&self, answer: Result<Vec<u8>>) {
        *self.answer.lock() = Some(answer);
        self.answered.wake_all();
    }

    /// Waits for the next answer: `ENODEV` when unplug begins meanwhile, `EINTR` when a signal has come. A kernel's
    /// copy is interrupted by nothing but death; here any signal may be that, so that a harmless one is given
    /// [`GRACE`] to be overtaken by the answer.
    fn wait(&self) -> Result<Result<Vec<u8>>> {
        let take = || self.answer.lock().take();
        with_grace(GRACE, |limit| Ok(self.answered.wait_event(limit, take)?))
    }
}

/// Waits; if a signal comes for the caller, waits once more, for `grace`.
///
/// FUSE says only that there is a signal, and a harmless one may be overtaken this way. `wait` waits for as long as it is
/// told, and answers `None` if that was too short.
///
/// # Errors
/// `EINTR` if the signal was not overtaken; else those of `wait`.
pub(super) fn with_grace<T>(grace: Duration, wait: impl Fn(Option<Duration>) -> Result<Option<T>>) -> Result<T> {
    match wait(None) {
        // A request that nobody interrupts.
        Err(Errno::EINTR) => Request::new(None).run(|| wait(Some(grace)))?.ok_or(Errno::EINTR),
        answer => answer?.ok_or(Errno::EIO),
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
            "fuse: {COPIERS} threads copy for callers of user {user} that keep them waiting; one more gets ENOMEM"
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

impl Copier {
    fn start(caller: u32, user: u32) -> Result<Self> {
        let running = Running::begin(user)?;
        let (jobs, to_do) = channel();
        let desk = Arc::new(Desk::default());
        let copier = thread::Builder::new().name("fuse copier".into()).stack_size(1 << 18);
        let started = copier.spawn({
            let desk = desk.clone();
            move || {
                let _running = running;
                copy(caller, &to_do, &desk);
            }
        });
        started.map(|_| Self { jobs, desk }).map_err(|_| Errno::ENOMEM)
    }
}

fn copy(caller: u32, jobs: &Receiver<Job>, desk: &Desk) {
    let memory = leave_files().and_then(|()| Memory::open(caller));
    desk.put(memory.as_ref().map(|_| Vec::new()).map_err(|errno| *errno));
    let Ok(mut memory) = memory else { return };
    for job in jobs {
        desk.put(match job {
            Job::Read { address, len } => memory.read(address, len),
            Job::Write { address, data } => memory.write(address, &data).map(|()| Vec::new()),
        });
    }
}

/// Gives this thread a table of files of its own, with none but the standard streams in it.
fn leave_files() -> Result {
    // Handlers of signals may write to files that are not there: none runs here.
    // SAFETY: A set of signals is plain data, and zero is one.
    let mut all: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: `all` is valid for a write.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: `all` is valid for a read; the old set is not asked for. It concerns this thread alone.
    if unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut()) } != 0 {
        return Err(Errno::EIO);
    }
    const FIRST: libc::c_uint = 3;
    const UNSHARE: libc::c_uint = 1 << 1;
    // SAFETY: The table is unshared before a file is closed in it, so nobody else's are; and this thread, which runs
    // `copy` alone, uses none that was open before.
    let closed = unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, UNSHARE) };
    if closed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error().into()) }
}

/// Whether `/proc/<number>` is what the kernel means by the number in a request, or why not.
///
/// The kernel counts in the pid namespace of whoever mounted, which is this process or its child; `/proc` in that of
/// whoever mounted it.
pub(super) fn numbers_agree() -> Result<(), &'static str> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(|_| "there is no /proc")?;
    let numbers = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    // One number for each namespace, from that of `/proc` to our own.
    if !numbers.split_whitespace().eq([std::process::id().to_string().as_str()]) {
        return Err("/proc is that of another pid namespace");
    }
    let namespace = |name| std::fs::read_link(format!("/proc/self/ns/{name}")).ok();
    if namespace("pid") != namespace("pid_for_children") {
        return Err("children are in another pid namespace");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fd::BorrowedFd;

    /// A kernel that has gone its way, or not.
    struct Silent(bool);

    impl Kernel for Silent {
        fn reply(&self, _: &[u8]) {}
        fn notify(&self, _: u32, _: &[&[u8]]) {}
        fn is_waiting(&self) -> bool {
            self.0
        }
        fn backing_open(&self, _: BorrowedFd<'_>) -> Result<u32> {
            Err(Errno::EOPNOTSUPP)
        }
        fn backing_close(&self, _: u32) {}
    }

    #[test]
    fn only_the_caller_of_a_live_request_is_looked_into() {
        let secret = *b"secret";
        let (address, thread) = (secret.as_ptr().expose_provenance() as u64, std::process::id());
        let look = |agree, thread, kernel: &Weak<dyn Kernel>| {
            let mut seen = [0; 6];
            Caller::new(agree, thread, 0, kernel).read(address, &mut seen).map(|()| seen)
        };
        let (waits, went): (Arc<dyn Kernel>, Arc<dyn Kernel>) = (Arc::new(Silent(true)), Arc::new(Silent(false)));
        let (live, broken) = (Arc::downgrade(&waits), Arc::downgrade(&went));
        assert_eq!(look(Ok(()), thread, &live), Ok(secret));
        assert_eq!(look(Ok(()), thread, &broken), Err(Errno::EFAULT), "the number may be another's by now");
        assert_eq!(look(Ok(()), 0, &live), Err(Errno::EFAULT), "nobody that can be seen");
        assert_eq!(look(Ok(()), u32::MAX, &live), Err(Errno::EFAULT), "no such thread");
        assert_eq!(look(Err("numbers differ"), thread, &live), Err(Errno::EFAULT));
        drop(waits);
        assert_eq!(look(Ok(()), thread, &live), Err(Errno::EFAULT), "the channel is closed");
    }
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
