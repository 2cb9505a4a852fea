//! The memory of the process behind a request: what the pointers inside an ioctl's argument point to.
//!
//! Whose it is: the header names the calling thread, which the kernel holds until its request is answered or the
//! connection breaks. So what `/proc/<thread>` was found to be while the connection was whole is the caller, and
//! an open `/proc/<thread>/mem` is bound to that memory for good, whoever gets the number later
//! (`process_vm_readv(2)` would look the number up once more each time).
//!
//! How long it takes: a page of it may be one that another file system, or the caller's own page fault handler, has
//! to provide, and never does. So a process of its own copies, the [`Copier`], and the operation waits for it as for
//! anything else: unplug and signals wake it. A page that this server has to provide is served by a worker like any other.
//! (The server itself must not be the caller then: it would hold the lock of the very memory that its workers run in.)
use super::channel::Kernel;
use super::copier::{Copier, Job, PIECE};
use super::memory::Memory;
use crate::lock::Lock;
use crate::log::log;
use fops_runtime::{Errno, PollEvents, Request, Result, UserMemory, WaitError, wait_fd};
use std::sync::{Once, Weak};
use std::time::Duration;

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

    /// Has the copier do `job`. What it reads goes into `out`.
    fn run(&self, job: &Job<'_>, out: &mut [u8]) -> Result {
        let mut copier = self.copier.lock();
        // One that was given up, by an error here, has an answer to come that is not ours.
        let mut current = match copier.take() {
            Some(current) => current,
            None => self.start()?,
        };
        current.begin(job)?;
        // `ENODEV` when unplug begins meanwhile, `EINTR` when a signal has come. A kernel's copy is interrupted by nothing
        // but death; here any signal may be that, so a harmless one is given `GRACE` to be overtaken by the answer.
        with_grace(GRACE, |limit| wait_fd(current.answered(), PollEvents::IN, limit).map_err(lacking))?;
        let result = current.answer(out).unwrap_or(Err(Errno::EFAULT));
        *copier = Some(current);
        result
    }

    fn start(&self) -> Result<Copier> {
        static SAID: Once = Once::new();
        let thread = self.thread.map_err(|reason| {
            SAID.call_once(|| log!(warn, "fuse: {reason}: what the pointers in ioctl arguments name gets EFAULT"));
            Errno::EFAULT
        })?;
        let memory = Memory::open(thread).map_err(|errno| refused(errno, thread))?;
        // Until now the number was the caller's: from here on the memory is.
        match self.kernel.upgrade() {
            Some(kernel) if kernel.is_waiting() => Copier::start(&memory, self.user),
            _ => Err(Errno::EFAULT),
        }
    }
}

/// Without a file for it, nobody can wait.
fn lacking(error: WaitError) -> Errno {
    match error {
        WaitError::System(_) => Errno::ENOMEM,
        error => error.into(),
    }
}

/// Says why, once for each reason. The caller gets `EFAULT`, unless it is this process that lacks something.
fn refused(errno: Errno, thread: u32) -> Errno {
    static DENIED: Once = Once::new();
    static OTHER: Once = Once::new();
    match errno {
        Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE => return Errno::ENOMEM,
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
        for (at, piece) in out.chunks_mut(PIECE).enumerate() {
            self.run(&Job::Read { address: place(address, at)?, len: piece.len() }, piece)?;
        }
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Result {
        for (at, data) in data.chunks(PIECE).enumerate() {
            self.run(&Job::Write { address: place(address, at)?, data }, &mut [])?;
        }
        Ok(())
    }
}

/// Where the piece with this number begins.
fn place(address: u64, piece: usize) -> Result<u64> {
    address.checked_add((piece * PIECE) as u64).ok_or(Errno::EFAULT)
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
    use std::sync::Arc;

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
}
