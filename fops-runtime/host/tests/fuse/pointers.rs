//! Pointers inside an ioctl's argument: the driver reaches the memory of whoever calls it, and nobody else's.
use super::bell::*;
use super::client::*;
use super::mounted::*;
use super::skip::skip;
use fops_host::fuse::{Mmap, Options};
use fops_host::{Bus, Devices};
use fops_runtime::{Command, Errno, OpenFlags};
use rustix::process::Signal;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

const TURNED: &str = r#"Ok(([101, 102, 103], "cba9876543210"))"#;

#[test]
fn a_driver_reaches_what_arguments_point_to() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    // From this process, which serves it; from another; and from threads of another.
    assert_eq!(format!("{:?}", chimes(&mounted.open())), TURNED);
    for mode in ["chimes", "threads"] {
        assert_eq!(Client::start(&mounted.node(), mode).line(), TURNED, "{mode}");
    }
}

#[test]
fn in_process_too() {
    let bus = Bus::new("tower", Devices::new());
    bus.register_driver(Foundries(Arc::default())).unwrap();
    bus.add_device("b0.bell").unwrap();
    bus.bind("bells", "b0.bell").unwrap();
    let file = bus.devices().open("bell0", OpenFlags::RDWR).unwrap();
    let at = |bytes: &[u8]| bytes.as_ptr().addr() as u64;
    let (mut first, mut second) = (*b"abc", *b"0123456789");
    let chimes = [(1, at(&first), 3), (2, 0, 0), (3, at(&second), 10)];
    let mut array: Vec<u8> =
        chimes.into_iter().flat_map(|(id, address, size)| Chime { id, payload: (address, size) }.to_bytes()).collect();
    let words = |first: u64, second: u64| [first.to_ne_bytes(), second.to_ne_bytes()].concat();
    let command = Command::from_raw;
    let mut argument = words(3, at(&array));
    // What was not lent is not there, wherever it is.
    assert_eq!(file.ioctl(command(CHIMES), &mut argument), Err(Errno::EFAULT));
    assert_eq!(file.ioctl_with(command(CHIMES), &mut argument, &mut [&mut array, &mut first]), Err(Errno::EFAULT));
    first.reverse();
    let lent: &mut [&mut [u8]] = &mut [&mut array, &mut first, &mut second];
    assert_eq!(file.ioctl_with(command(CHIMES), &mut argument, lent), Ok(0));
    assert_eq!((&first, &second), (b"cba", b"9876543210"));
    assert_eq!([array[0], array[Chime::SIZE], array[2 * Chime::SIZE]], [101, 102, 103]);

    // Up to the end, and not beyond; across two slices that touch.
    let mut bytes = [1; 8];
    let start = at(&bytes);
    let mut sum = |from: u64, len: u64| {
        let (left, right) = bytes.split_at_mut(3);
        file.ioctl_with(command(SUM), &mut words(from, len), &mut [right, left])
    };
    assert_eq!((sum(start, 8), sum(start + 7, 1), sum(start + 8, 0)), (Ok(8), Ok(1), Ok(0)));
    for (from, len) in [(start, 9), (start - 1, 2), (start + 8, 1), (0, 1), (u64::MAX, 1), (u64::MAX, 2)] {
        assert_eq!(sum(from, len), Err(Errno::EFAULT), "{len} at {from:#x}");
    }
    assert_eq!(sum(start, (1 << 20) + 1), Err(Errno::EINVAL));
    assert_eq!(sum(start, u64::MAX), Err(Errno::EINVAL));
    assert_eq!(file.ioctl_with(command(PAINT), &mut words(start + 2, 4), &mut [&mut bytes]), Ok(0));
    assert_eq!(bytes, [1, 1, 0xab, 0xab, 0xab, 0xab, 1, 1]);
}

#[test]
fn a_bad_address_is_efault() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    assert_eq!(Client::start(&mounted.node(), "bad").line(), "all is well");
}

#[test]
fn nobody_elses_memory_is_reached() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    // Memory of the server: its own, and what the client has too, with other things in it.
    let secret = vec![7; 4096].into_boxed_slice();
    let mut client = Client::start(&mounted.node(), "sum");
    assert_eq!(client.line(), "ready");
    for _ in 0..10 {
        client.tell(&format!("{} 4096", secret.as_ptr().addr()));
        let answer = client.line();
        assert!(answer == "Err(14)" || !answer.contains(&(7 * 4096).to_string()), "{answer}");
    }
    let place = map(PLACE, 4096, libc::PROT_READ | libc::PROT_WRITE, None);
    // SAFETY: Just mapped.
    unsafe { place.write_bytes(9, 4096) };
    assert_eq!(ioctl(&mounted.open(), SUM, &mut [PLACE as u64, 4096]), Ok(9 * 4096));
    client.tell(&format!("{PLACE} 4096"));
    assert_eq!(client.line(), "Err(14)", "the place is mapped in the server alone");
    // All at the same address, each with its own there.
    let owners: Vec<_> = (1..=6).map(|byte| (byte, Client::start(&mounted.node(), &format!("own {byte}")))).collect();
    for (byte, owner) in owners {
        assert_eq!(owner.line(), format!("Ok({})", byte * 4096));
    }
    // SAFETY: Nothing refers to it any more.
    assert_eq!(unsafe { libc::munmap(place.cast(), 4096) }, 0);
}

#[test]
fn a_client_in_a_pid_namespace_is_found() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    if !Process::new("unshare").args(["--pid", "--fork", "true"]).status().is_ok_and(|status| status.success()) {
        return skip("cannot unshare a pid namespace: run it as root, with util-linux");
    }
    let mut unshare = Process::new("unshare");
    unshare.args(["--pid", "--fork"]).arg(std::env::current_exe().unwrap()).env("FOPS_NODE", mounted.node());
    // Inside it is number 1, and so is another outside.
    assert_eq!(Client::start_by(&mut unshare, "chimes").line(), TURNED);
}

#[test]
fn memory_may_be_that_of_the_node_itself() {
    for wanted in [Mmap::Passthrough, Mmap::PageCache] {
        let Some(mounted) = Mounted::new(Options::new().mmap(wanted)) else { return };
        if mounted.server.mmap() != wanted {
            skip(&format!("{wanted:?}: {}", mounted.server.mmap_reason()));
            continue;
        }
        // Each page is asked for by the one that copies, and served meanwhile. Not from here: this process would wait
        // for itself, as whoever maps files that it serves does.
        let clients: Vec<_> = (0..3).map(|_| Client::start(&mounted.node(), "node")).collect();
        for client in clients {
            assert_eq!(client.line(), format!("Ok({})", 0xab * MEMORY), "{wanted:?}");
        }
        mounted.unbind().unwrap();
    }
}

/// A server of another process, whose pages never come: it is stopped.
struct Stopped {
    process: Client,
    root: PathBuf,
}

impl Stopped {
    /// With clients of `node` that have a page of it mapped, and are about to pass it to that node's driver.
    fn with_clients(node: &Path, count: usize) -> Option<(Vec<Client>, Self)> {
        let process = Client::start_by(&mut Client::command(), "serve");
        let root = process.line();
        if root == "no" {
            skip("nothing can be mapped from the page cache here: it needs Linux 6.6");
            return None;
        }
        let stopped = Self { process, root: root.into() };
        let mut clients = Vec::new();
        for _ in 0..count {
            let mut client = Client::command();
            client.env("FOPS_NODE", node).env("FOPS_OTHER_NODE", stopped.root.join("dev/bell0"));
            clients.push(Client::start_by(&mut client, "other"));
        }
        for client in &clients {
            assert_eq!(client.line(), "ready");
        }
        stopped.process.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", stopped.process.child.id());
        until("all its threads have stopped", || {
            let mut tasks = std::fs::read_dir(&tasks).unwrap().flatten();
            tasks.all(|task| {
                let status = std::fs::read_to_string(task.path().join("status"));
                status.is_ok_and(|status| status.contains("State:\tT"))
            })
        });
        for client in &mut clients {
            client.tell("go");
        }
        Some((clients, stopped))
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.process.child.kill();
        forget_mount(&self.root);
    }
}

/// Takes a mount away whose server was killed.
fn forget_mount(root: &Path) {
    if rustix::mount::unmount(root, rustix::mount::UnmountFlags::DETACH).is_err() {
        let _ = Process::new("fusermount3").arg("-uz").arg(root).status();
    }
    let _ = std::fs::remove_dir(root);
}

/// What the processes that copy for the process `server` are doing: their states, and the numbers of their system calls.
fn copiers(server: u32) -> Vec<(char, String)> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let copiers = processes.filter_map(|process| {
        let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(") ")?;
        let mut rest = rest.split(' ');
        let (state, parent) = (rest.next()?, rest.next()?);
        let call = std::fs::read_to_string(process.path().join("syscall")).unwrap_or_default();
        let call = call.split_whitespace().next().unwrap_or_default().to_string();
        (name == "fops copier" && parent == server.to_string()).then(|| (state.chars().next().unwrap(), call))
    });
    copiers.collect()
}

/// How many of them wait for a page.
fn waiting(server: u32) -> usize {
    let read = libc::SYS_pread64.to_string();
    copiers(server).iter().filter(|(state, call)| "SD".contains(*state) && *call == read).count()
}

#[test]
fn a_page_that_never_comes_keeps_nobody_else_waiting() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let Some((mut clients, stopped)) = Stopped::with_clients(&mounted.node(), 4) else { return };
    until("all are in the driver", || mounted.bell().copies.load(SeqCst) == clients.len());
    let own = std::process::id();
    until("all wait for the page", || waiting(own) == clients.len());
    // Others are served meanwhile.
    assert_eq!(format!("{:?}", chimes(&mounted.open())), TURNED);
    // One that is killed is gone.
    let mut killed = clients.pop().unwrap();
    killed.child.kill().unwrap();
    reap(&mut killed.child);
    until("its file is released", || mounted.bus.nodes("b0.bell")[0].open_files() == clients.len());
    // The others are told at unplug.
    mounted.unbind().unwrap();
    for client in &clients {
        assert_eq!(client.line(), "Err(19)");
    }
    until("their files are released", || mounted.foundry.released.load(SeqCst) == 5);
    drop(stopped);
    until("all copiers have ended", || copiers(own).iter().all(|(state, _)| *state == 'Z'));
    // The next copies take their ends, and their places in the user's share.
    mounted.bus.bind("bells", "b0.bell").unwrap();
    until("no end is left to take", || {
        assert_eq!(format!("{:?}", chimes(&mounted.open())), TURNED);
        copiers(own).iter().all(|(state, _)| *state != 'Z')
    });
}

#[test]
fn a_page_that_never_comes_keeps_no_server_from_ending() {
    for by in [Signal::KILL, Signal::TERM] {
        let mut server = Client::start_by(&mut Client::command(), "serve");
        let root = PathBuf::from(server.line());
        if root == Path::new("no") {
            return skip("nothing can be mapped from the page cache here: it needs Linux 6.6");
        }
        let Some((clients, stopped)) = Stopped::with_clients(&root.join("dev/bell0"), 1) else { return };
        until("a copier waits for the page", || waiting(server.child.id()) == 1);
        server.signal(by);
        reap(&mut server.child);
        assert_eq!(clients[0].line(), format!("Err({})", libc::ECONNABORTED));
        drop(stopped);
        forget_mount(&root);
    }
}
