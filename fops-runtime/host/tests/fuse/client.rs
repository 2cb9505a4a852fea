//! A process of its own that calls a node with pointers: this program, run again.
use super::bell::*;
use super::mounted::*;
use fops_host::fuse::{Mmap, Options};
use rustix::ioctl::Opcode;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command as Process, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// Where clients map what they speak of, the same for all.
pub(crate) const PLACE: usize = 0x3000_0000_0000;
const PAGE: usize = 4096;

/// An ioctl whose argument is two words, on a thread of `file`'s owner. Returns what it answers, or its error number.
pub(crate) fn ioctl(file: &File, command: Opcode, words: &mut [u64; 2]) -> Result<i32, i32> {
    // SAFETY: The commands of this test have arguments of this size; what the pointers in it name is mapped in this
    // process for the time of the call, or not at all.
    let answer = unsafe { libc::ioctl(file.as_raw_fd(), command as _, words.as_mut_ptr()) };
    if answer < 0 { Err(std::io::Error::last_os_error().raw_os_error().unwrap()) } else { Ok(answer) }
}

/// Maps `len` bytes at `address`, or anywhere where that is 0.
pub(crate) fn map(address: usize, len: usize, access: i32, file: Option<&File>) -> *mut u8 {
    let fixed = if address == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
    let (kind, fd) = file.map_or((libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1), |f| (libc::MAP_SHARED, f.as_raw_fd()));
    // SAFETY: A new mapping, where there is none.
    let at = unsafe { libc::mmap(std::ptr::without_provenance_mut(address), len, access, kind | fixed, fd, 0) };
    assert_ne!(at, libc::MAP_FAILED, "{}", std::io::Error::last_os_error());
    at.cast()
}

fn protect(at: *mut u8, len: usize, access: i32) {
    // SAFETY: The caller has mapped it, and lent it to nobody.
    assert_eq!(unsafe { libc::mprotect(at.cast(), len, access) }, 0);
}

/// Runs where the variable says so.
#[test]
fn client() {
    let Ok(mode) = std::env::var("FOPS_CLIENT") else { return };
    super::pressure::limit_self();
    super::logs::break_log();
    match mode.as_str() {
        "serve" => return serve(),
        "oneself" => return super::names::serve_oneself(),
        "measure" => return super::pressure::serve_and_measure(),
        _ => {}
    }
    let node = std::env::var("FOPS_NODE").unwrap();
    let file = File::options().read(true).write(true).open(node).unwrap();
    let say = |text: String| {
        println!("client says {text}");
        std::io::stdout().flush().unwrap();
    };
    match mode.as_str() {
        "chimes" => say(format!("{:?}", chimes(&file))),
        // From a thread that is not the first.
        "threads" => std::thread::scope(|scope| {
            let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| (0..50).map(|_| chimes(&file)).next_back())).collect();
            let answers: Vec<_> = calls.into_iter().map(|call| call.join().unwrap().unwrap()).collect();
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
            say(format!("{:?}", answers[0]));
        }),
        "bad" => bad_addresses(&file),
        // Says what is at the place that it was told.
        "sum" => {
            let mut line = String::new();
            say("ready".into());
            while std::io::stdin().read_line(&mut line).unwrap() > 0 {
                let mut words = line.split_whitespace().map(|word| word.parse::<u64>().unwrap());
                let mut words = [(); 2].map(|()| words.next().unwrap());
                say(format!("{:?}", ioctl(&file, SUM, &mut words)));
                line.clear();
            }
        }
        // The same, with memory of its own there.
        byte if byte.starts_with("own ") => {
            let byte: u8 = byte["own ".len()..].parse().unwrap();
            let place = map(PLACE, PAGE, libc::PROT_READ | libc::PROT_WRITE, None);
            // SAFETY: Just mapped.
            unsafe { place.write_bytes(byte, PAGE) };
            say(format!("{:?}", ioctl(&file, SUM, &mut [PLACE as u64, PAGE as u64])));
        }
        // Has the driver paint the memory of its own node, and sum it up, from several threads at once.
        "node" => std::thread::scope(|scope| {
            let sum = || {
                let place = map(0, MEMORY, libc::PROT_READ | libc::PROT_WRITE, Some(&file));
                let at = place.expose_provenance() as u64;
                ioctl(&file, PAINT, &mut [at, MEMORY as u64]).and_then(|_| ioctl(&file, SUM, &mut [at, MEMORY as u64]))
            };
            let sums: Vec<_> = (0..8).map(|_| scope.spawn(sum)).collect();
            let sums: Vec<_> = sums.into_iter().map(|sum| sum.join().unwrap()).collect();
            assert!(sums.iter().all(|sum| *sum == sums[0]), "{sums:?}");
            say(format!("{:?}", sums[0]));
        }),
        // Says what is in the memory of another node, when it is told to.
        "other" => {
            let other = std::env::var("FOPS_OTHER_NODE").unwrap();
            let other = File::options().read(true).write(true).open(other).unwrap();
            map(PLACE, PAGE, libc::PROT_READ | libc::PROT_WRITE, Some(&other));
            // The mapping keeps it open, and a close would wait for its server too.
            drop(other);
            say("ready".into());
            std::io::stdin().read_line(&mut String::new()).unwrap();
            say(format!("{:?}", ioctl(&file, SUM, &mut [PLACE as u64, PAGE as u64])));
        }
        "hog" => hog(&file),
        mode => panic!("no mode {mode}"),
    }
}

/// Three payloads, one of them empty, turned around by the driver. Returns numbers and payloads.
pub(crate) fn chimes(file: &File) -> Result<(Vec<u8>, String), i32> {
    let mut texts = [b"abc".to_vec(), Vec::new(), b"0123456789".to_vec()];
    let mut array: Vec<u8> = (1..)
        .zip(&mut texts)
        .flat_map(|(id, text)| {
            Chime { id, payload: (text.as_mut_ptr().expose_provenance() as u64, text.len() as u32) }.to_bytes()
        })
        .collect();
    ioctl(file, CHIMES, &mut [3, array.as_mut_ptr().expose_provenance() as u64])?;
    Ok((array.chunks(Chime::SIZE).map(|chime| chime[0]).collect(), String::from_utf8(texts.concat()).unwrap()))
}

/// A server in a process of its own, until its standard input ends.
fn serve() {
    let Some(mounted) = Mounted::new(Options::new().mmap(Mmap::PageCache)) else { return println!("client says no") };
    println!("client says {}", if mounted.server.mmap() == Mmap::None { "no" } else { mounted.root.to_str().unwrap() });
    std::io::stdout().flush().unwrap();
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// Many threads that sleep in a read. Says, as often as it is told to, how many were answered, and with which errors.
fn hog(file: &File) {
    let number = |name| std::env::var(name).map_or(8, |number| number.parse().unwrap());
    let (sleepers, size): (usize, usize) = (number("FOPS_SLEEPERS"), number("FOPS_SIZE"));
    let answers = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    for _ in 0..sleepers {
        let (fd, answers) = (file.as_raw_fd(), answers.clone());
        let read = move || {
            let mut buf = vec![0_u8; size];
            // SAFETY: `buf` is valid for a write of this length. At position 0, where a file has one: no lock is held for it.
            let mut n = unsafe { libc::pread(fd, buf.as_mut_ptr().cast(), size, 0) };
            if n < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::ESPIPE) {
                // SAFETY: As above.
                n = unsafe { libc::read(fd, buf.as_mut_ptr().cast(), size) };
            }
            let error = if n < 0 { std::io::Error::last_os_error().raw_os_error() } else { None };
            answers.lock().unwrap().push(error);
        };
        std::thread::Builder::new().stack_size(64 << 10).spawn(read).unwrap();
    }
    println!("client says ready");
    while std::io::stdin().read_line(&mut String::new()).unwrap() > 0 {
        let answers = answers.lock().unwrap();
        let errors: std::collections::BTreeSet<_> = answers
            .iter()
            .map(|error| error.map_or("none".into(), |error| format!("{:?}", fops_runtime::Errno::from_raw(error))))
            .collect();
        println!("client says {} {}", answers.len(), errors.into_iter().collect::<Vec<_>>().join(" "));
        std::io::stdout().flush().unwrap();
    }
}

fn bad_addresses(file: &File) {
    let (read, write) = (libc::PROT_READ, libc::PROT_READ | libc::PROT_WRITE);
    let place = map(PLACE, 4 * PAGE, write, None);
    let at = |offset: usize| (PLACE + offset) as u64;
    // SAFETY: Just mapped.
    unsafe { place.write_bytes(1, 4 * PAGE) };
    // A page that may be read alone, one that may not be touched, and nothing after them.
    protect(place.wrapping_add(PAGE), PAGE, read);
    protect(place.wrapping_add(2 * PAGE), PAGE, libc::PROT_NONE);
    // SAFETY: Nothing refers to it.
    assert_eq!(unsafe { libc::munmap(place.wrapping_add(3 * PAGE).cast(), PAGE) }, 0);
    let (fault, invalid) = (Err(libc::EFAULT), Err(libc::EINVAL));
    for (command, address, len, answer) in [
        (SUM, at(0), 2 * PAGE, Ok(2 * PAGE as i32)),
        (SUM, at(PAGE + 1), PAGE - 1, Ok(PAGE as i32 - 1)),
        (SUM, at(PAGE + 1), PAGE, fault),
        (SUM, at(2 * PAGE), 1, fault),
        (SUM, at(3 * PAGE), 1, fault),
        (SUM, at(3 * PAGE), 0, Ok(0)),
        (SUM, 0, 1, fault),
        (SUM, u64::MAX, 1, fault),
        (SUM, u64::MAX - 4096, 8192, fault),
        (SUM, 0xffff_8880_0000_0000, 8, fault),
        (SUM, 0xffff_ffff_ff60_0000, 8, fault),
        (SUM, at(0), (1 << 20) + 1, invalid),
        (SUM, at(0), usize::MAX, invalid),
        (SUM, at(0), 1 << 20, fault),
        (PAINT, at(PAGE - 8), 8, Ok(0)),
        (PAINT, at(PAGE - 4), 5, fault),
        (PAINT, at(PAGE), 1, fault),
        (PAINT, at(2 * PAGE), 1, fault),
        (PAINT, at(3 * PAGE), 1, fault),
        (PAINT, 0, 1, fault),
    ] {
        assert_eq!(ioctl(file, command, &mut [address, len as u64]), answer, "{len} bytes at {address:#x}");
    }
    // SAFETY: Mapped, and readable.
    let seen = unsafe { std::slice::from_raw_parts(place, 2 * PAGE) };
    assert!(seen[..PAGE - 8].iter().all(|&byte| byte == 1) && seen[PAGE..].iter().all(|&byte| byte == 1));
    assert_eq!(seen[PAGE - 8..PAGE], [0xab; 8]);
    println!("client says all is well");
}

/// A client that runs.
pub(crate) struct Client {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Client {
    pub(crate) fn start(node: &Path, mode: &str) -> Self {
        Self::start_by(Self::command().env("FOPS_NODE", node), mode)
    }

    /// What a client is run by.
    pub(crate) fn command() -> Process {
        Process::new(std::env::current_exe().unwrap())
    }

    /// By a command that runs what its further arguments say.
    pub(crate) fn start_by(process: &mut Process, mode: &str) -> Self {
        let process = process.args(["client::client", "--exact", "--nocapture", "--test-threads=1"]);
        let process = process.env("FOPS_CLIENT", mode).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = process.spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            let said = |line: String| Some(line.split_once("client says ")?.1.to_owned());
            BufReader::new(stdout).lines().map_while(Result::ok).filter_map(said).try_for_each(|line| send.send(line))
        });
        Self { child, stdin, lines }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("the client says something before the deadline")
    }

    pub(crate) fn tell(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A server unmounts when its standard input ends. If the test failed, it may hang.
        drop(self.stdin.take());
        for kill in [false, true] {
            if kill {
                let _ = self.child.kill();
            }
            let told = Instant::now();
            while matches!(self.child.try_wait(), Ok(None)) && told.elapsed() < Duration::from_secs(2) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}
