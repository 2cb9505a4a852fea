//! A server that may have few threads, few descriptors or little memory: sleeping clients do not keep others out.
use super::client::Client;
use super::mounted::*;
use super::skip::skip;
use fops_host::fuse::Options;
use fops_runtime::Errno;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// More than the server can have threads for.
const SLEEPERS: usize = 400;

/// Limits this process, as the parent says.
pub(crate) fn limit_self() {
    let Ok(limit) = std::env::var("FOPS_LIMIT") else { return };
    let (what, number) = limit.split_once(' ').unwrap();
    let set = |resource, most: u64| {
        let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
        // SAFETY: `limit` is valid for a read.
        assert_eq!(unsafe { libc::setrlimit(resource, &raw const limit) }, 0);
    };
    match what {
        "files" => set(libc::RLIMIT_NOFILE, number.parse().unwrap()),
        "memory" => {
            let status = fs::read_to_string("/proc/self/status").unwrap();
            let size = status.lines().find_map(|line| line.strip_prefix("VmSize:")).unwrap();
            let size: u64 = size.split_whitespace().next().unwrap().parse().unwrap();
            set(libc::RLIMIT_AS, (size << 10) + number.parse::<u64>().unwrap());
        }
        "group" => fs::write(Path::new(number).join("cgroup.procs"), "0").unwrap(),
        _ => panic!("no limit {what}"),
    }
}

/// A control group whose processes have few threads.
struct Group(PathBuf);

impl Group {
    fn new(most: usize) -> Option<Self> {
        let roots = ["/sys/fs/cgroup/pids", "/sys/fs/cgroup"].map(Path::new);
        for root in roots {
            let group = Self(root.join(format!("fops-test-{}", std::process::id())));
            if fs::create_dir(&group.0).is_ok() && fs::write(group.0.join("pids.max"), most.to_string()).is_ok() {
                return Some(group);
            }
        }
        skip("no control group for threads: run it as root where /sys/fs/cgroup can be written");
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// Where a server is mounted. It is unmounted at the end of the test, however that ends.
struct Root(PathBuf);

impl std::ops::Deref for Root {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<std::ffi::OsStr> for Root {
    fn as_ref(&self) -> &std::ffi::OsStr {
        self.0.as_os_str()
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = rustix::mount::unmount(&self.0, rustix::mount::UnmountFlags::DETACH);
        let _ = fs::remove_dir(&self.0);
    }
}

/// A server in a process of its own, and its root.
fn serve(limit: &str) -> Option<(Client, Root)> {
    let server = Client::start_by(Client::command().env("FOPS_LIMIT", limit), "serve");
    let root = server.line();
    if root == "no" {
        skip("the server has no mount");
        return None;
    }
    Some((server, Root(root.into())))
}

fn within(limit: Duration, what: &str, script: &str, root: &Path) {
    let mut child = Process::new("sh").args(["-c", script]).current_dir(root).stdin(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let mut ended = None;
    while ended.is_none() && began.elapsed() < limit {
        ended = child.try_wait().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    let _ = child.wait();
    assert!(ended.is_some_and(|status| status.success()), "{what}: {ended:?}");
}

/// How many of the hog's threads have been refused.
fn refused(hog: &mut Client) -> (usize, String) {
    hog.tell("");
    let line = hog.line();
    let (count, errors) = line.split_once(' ').unwrap();
    (count.parse().unwrap(), errors.to_owned())
}

fn others_are_served_beside_sleepers(limit: &str) {
    let Some((mut server, root)) = serve(limit) else { return };
    let node = root.join("dev/bell0");
    let unbind = "echo b0.bell > sys/bus/tower/drivers/bells/unbind";
    for round in 0..2 {
        let mut hog = Client::start_by(
            Client::command().env("FOPS_NODE", &node).env("FOPS_SLEEPERS", SLEEPERS.to_string()),
            "hog",
        );
        assert_eq!(hog.line(), "ready");
        within(DEADLINE, "ls", "ls dev > /dev/null", &root);
        // All have been answered or sleep.
        let mut last = usize::MAX;
        until("the hog settles", || {
            std::thread::sleep(Duration::from_millis(200));
            let now = refused(&mut hog).0;
            std::mem::replace(&mut last, now) == now
        });
        let (count, errors) = refused(&mut hog);
        assert!(errors.split_whitespace().all(|error| ["ENOMEM", "EAGAIN"].contains(&error)), "{errors}");
        assert!(count < SLEEPERS, "some sleep");
        within(DEADLINE, "ls", "ls dev sys/bus/tower/drivers/bells > /dev/null", &root);
        if round == 0 {
            // A killed client is gone, and its place is free.
            hog.child.kill().unwrap();
            reap(&mut hog.child);
            within(DEADLINE, "a later operation", "exec 3<> dev/bell0; echo ring >&3; head -c5 <&3 > /dev/null", &root);
        } else {
            within(DEADLINE, "unbind", unbind, &root);
            until("all are told", || refused(&mut hog).0 == SLEEPERS);
            assert!(refused(&mut hog).1.contains("ENODEV"));
        }
    }
    server.tell("");
    assert!(reap(&mut server.child).success());
}

#[test]
fn a_limit_on_threads() {
    // As many as there are anyhow, and a few.
    let Some(group) = Group::new(14) else { return };
    others_are_served_beside_sleepers(&format!("group {}", group.0.display()));
}

#[test]
fn a_limit_on_descriptors() {
    others_are_served_beside_sleepers("files 40");
}

#[test]
fn a_limit_on_memory() {
    others_are_served_beside_sleepers(&format!("memory {}", 64 << 20));
}

#[test]
fn one_user_does_not_take_the_place_of_others() {
    if !is_root() {
        return skip("only root becomes another user: run it as root");
    }
    let Some(mounted) = Mounted::new(Options::new().allow_other(true).operations_per_user(4)) else { return };
    let bell = mounted.bell();
    let other = mounted.open();
    let mut files: Vec<_> = (0..5).map(|_| mounted.open()).collect();
    let mut read = || {
        let mut file = files.pop().unwrap();
        Background::run(move || errno(file.read(&mut [0; 8])))
    };
    let mut sleepers = Vec::new();
    for sleeping in 1..=4 {
        sleepers.push(read());
        until("it sleeps", || bell.reads.load(SeqCst) == sleeping);
    }
    assert_eq!(read().get(), Some(Errno::EAGAIN));
    // Asking for the state of a file takes nobody's place.
    let mut fds = [rustix::event::PollFd::new(&other, rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut fds, Some(&rustix::event::Timespec::default())), Ok(0));
    let mut child = mounted.sh("echo ring > \"$1\"").uid(65534).gid(65534).spawn().unwrap();
    assert!(reap(&mut child).success(), "{}", said(&mut child));
    // One has been rung; now there is a place.
    until("one is answered", || mounted.bus.nodes("b0.bell")[0].running() == 3);
    (&other).write_all(b"ring").unwrap();
    mounted.unbind().unwrap();
    for sleeper in sleepers {
        assert!(matches!(sleeper.get(), None | Some(Errno::ENODEV)));
    }
}

/// `VmRSS` of this process, in KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    size.split_whitespace().next().unwrap().parse().unwrap()
}

/// What a thousand sleepers cost the server; it runs alone in its process.
pub(crate) fn serve_and_measure() {
    let Some(mounted) = Mounted::new(Options::new()) else { return println!("client says no") };
    println!("client says {}", mounted.root.display());
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).unwrap() > 0 {
        println!("client says {}", resident());
        std::io::stdout().flush().unwrap();
    }
}

#[test]
fn sleeping_reads_of_a_mebibyte_cost_little_memory() {
    let mut server = Client::start_by(&mut Client::command(), "measure");
    let root = server.line();
    if root == "no" {
        return skip("the server has no mount");
    }
    let mut measure = || {
        server.tell("");
        server.line().parse::<usize>().unwrap()
    };
    let before = measure();
    let node = Path::new(&root).join("dev/bell0");
    let mut command = Client::command();
    command.env("FOPS_NODE", &node).env("FOPS_SLEEPERS", "1000").env("FOPS_SIZE", (1 << 20).to_string());
    let mut hog = Client::start_by(&mut command, "hog");
    assert_eq!(hog.line(), "ready");
    // Until the last of them sleeps.
    let mut last = 0;
    until("the hog settles", || {
        std::thread::sleep(Duration::from_millis(300));
        let now = measure();
        std::mem::replace(&mut last, now) == now
    });
    assert_eq!(refused(&mut hog).0, 0);
    let during = measure();
    println!("{before} KiB before, {during} KiB with a thousand sleepers");
    assert!(during < 32 << 10, "{during} KiB");
    hog.child.kill().unwrap();
    reap(&mut hog.child);
    until("the memory is given back", || measure() < before + (8 << 10));
    // Now with data in the requests.
    let file = File::options().write(true).open(&node).unwrap();
    let data = vec![7; 1 << 20];
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| (&file).write_all(&data).unwrap());
        }
    });
    until("the memory is given back", || measure() < before + (8 << 10));
}

/// How many threads of a server sleep in read(2). They are its readers.
fn readers(server: u32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{server}/task")).unwrap().flatten();
    let reads = |task: fs::DirEntry| {
        let at = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let is_read = at("syscall").split(' ').next() == Some(&libc::SYS_read.to_string());
        is_read && at("comm").trim_end() == "fuse"
    };
    tasks.map(reads).filter(|reads| *reads).count()
}

#[test]
fn few_threads_read_when_there_is_nothing_else_to_do() {
    let server = Client::start_by(&mut Client::command(), "measure");
    let root = server.line();
    if root == "no" {
        return skip("the server has no mount");
    }
    let mut command = Client::command();
    command.env("FOPS_NODE", Path::new(&root).join("dev/bell0")).env("FOPS_SLEEPERS", "50").env("FOPS_SIZE", "1");
    let mut hog = Client::start_by(&mut command, "hog");
    assert_eq!(hog.line(), "ready");
    let started = || fs::read_dir(format!("/proc/{}/task", server.child.id())).unwrap().count() > 50;
    until("each has a thread", started);
    hog.child.kill().unwrap();
    reap(&mut hog.child);
    // The others are parked, or have ended: the kernel would wake one more of them for each request.
    let cpus = std::thread::available_parallelism().unwrap().get();
    until("few read", || readers(server.child.id()) == cpus + 1);
    assert_eq!(File::open(Path::new(&root).join("dev/bell0")).map(drop).map_err(|error| error.to_string()), Ok(()));
}
