//! Nodes served through `/dev/fuse`, to real processes.
#![cfg(all(feature = "fuse", target_os = "linux"))]

mod bell;
mod client;
#[path = "../../../tests/common/deadline.rs"]
mod deadline;
mod logs;
mod mounted;
mod names;
mod pointers;
mod pressure;
#[path = "../../../tests/common/skip.rs"]
mod skip;
mod unmount;
mod writers;

use bell::*;
use fops_host::fuse::{Mmap, Options, Server};
use fops_host::{Bus, Devices};
use fops_runtime::Errno;
use mounted::*;
use rustix::event::{PollFd, PollFlags};
use rustix::ioctl::{NoArg, Updater, opcode};
use skip::skip;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::Command as Process;
use std::sync::atomic::Ordering::SeqCst;

#[test]
fn operations_reach_the_driver() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let mut file = mounted.open();
    let reader = Background::run({
        let mut file = mounted.open();
        move || {
            let mut buf = [0; 64];
            let n = file.read(&mut buf)?;
            std::io::Result::Ok(buf[..n].to_vec())
        }
    });
    until("the read sleeps", || mounted.bell().rung.has_sleepers());
    file.write_all(b"ring").unwrap();
    assert_eq!(reader.get().unwrap(), b"ding\n");

    let mut eight = *b"abcdefgh";
    // SAFETY: `REVERSE` reads and writes eight bytes.
    unsafe { rustix::ioctl::ioctl(&file, Updater::<REVERSE, [u8; 8]>::new(&mut eight)) }.unwrap();
    assert_eq!(&eight, b"hgfedcba");
    // SAFETY: No driver knows this command.
    let unknown = unsafe { rustix::ioctl::ioctl(&file, NoArg::<{ opcode::none(b'B', 99) }>::new()) };
    assert_eq!(unknown, Err(rustix::io::Errno::NOTTY));

    rustix::fs::fcntl_setfl(&file, rustix::fs::OFlags::NONBLOCK).unwrap();
    assert_eq!(errno(file.read(&mut [0; 8])), Some(Errno::EAGAIN));
    assert_eq!(file.sync_all().err().and_then(|e| e.raw_os_error()), Some(Errno::EINVAL.raw()));
    drop(file);
    until("both files are released", || mounted.foundry.released.load(SeqCst) == 2);
}

#[test]
fn a_sleeping_read_keeps_nobody_from_the_same_file() {
    // The kernel passes a file through only if it has a position, and so a lock: not then.
    let Some(mounted) = Mounted::new(Options::new().mmap(Mmap::PageCache)) else { return };
    let mut file = mounted.open();
    let reader = Background::run({
        let mut file = file.try_clone().unwrap();
        move || file.read(&mut [0; 8]).unwrap()
    });
    until("the read sleeps", || mounted.bell().rung.has_sleepers());
    file.write_all(b"ring").unwrap();
    assert_eq!(reader.get(), 5);
}

#[test]
fn a_panic_is_an_error_and_hurts_nobody_else() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let file = mounted.open();
    for _ in 0..20 {
        // SAFETY: `PANIC` has no argument.
        let answer = unsafe { rustix::ioctl::ioctl(&file, NoArg::<PANIC>::new()) };
        assert_eq!(answer, Err(rustix::io::Errno::IO));
    }
    fill(&file, 1);
}

#[test]
fn the_tree_is_as_in_linux() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let names = |path: &str| {
        let mut names: Vec<_> = fs::read_dir(mounted.root.join(path))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names(""), ["dev", "sys"]);
    assert_eq!(names("dev"), ["bell0"]);
    assert_eq!(names("sys/bus/tower/drivers/bells"), ["b0.bell", "bind", "unbind"]);
    assert_eq!(
        names("sys/bus/tower/drivers/bells/b0.bell"),
        ["bells", "driver", "power", "remove", "reset", "subsystem", "uevent"]
    );
    assert_eq!(names("sys/bus/tower"), ["devices", "drivers", "rescan"]);
    assert_eq!(names("sys/bus/tower/devices"), ["b0.bell"]);
    let driver = fs::canonicalize(mounted.root.join("sys/bus/tower/devices/b0.bell/driver")).unwrap();
    assert_eq!(driver, fs::canonicalize(mounted.root.join("sys/bus/tower/drivers/bells")).unwrap());
    let read = |path: &str| fs::read_to_string(mounted.root.join(path)).unwrap();
    let uevent = "MAJOR=99\nMINOR=7\nDEVNAME=bell0\n";
    assert_eq!(read("sys/dev/char/0:0/uevent"), uevent);
    assert_eq!(names("sys/dev/char"), ["0:0", "99:7"]);
    assert_eq!(names("sys/class/bells"), ["bell0"]);
    let same = ["sys/dev/char/99:7", "sys/class/bells/bell0", "sys/devices/tower/b0.bell/bells/bell0"];
    for path in same {
        assert_eq!(names(path), ["dev", "device", "index", "name", "subsystem", "uevent"], "{path}");
        assert_eq!(
            (read(&format!("{path}/uevent")).as_str(), read(&format!("{path}/dev")).as_str()),
            (uevent, "99:7\n")
        );
        let leads_to = |link: &str, target: &str| {
            let [link, target] = [format!("{path}/{link}"), target.into()].map(|path| mounted.root.join(path));
            assert_eq!(fs::canonicalize(link).unwrap(), fs::canonicalize(target).unwrap());
        };
        leads_to("device", "sys/devices/tower/b0.bell");
        leads_to("subsystem", "sys/class/bells");
    }
    assert_eq!(read("sys/devices/tower/b0.bell/uevent"), "DRIVER=bells\n");
    assert_eq!(fs::metadata(mounted.node()).unwrap().len(), MEMORY as u64);

    let there_is_no = mounted.root.join("dev/video0");
    assert_eq!(errno(fs::File::open(&there_is_no)), Some(Errno::ENOENT));
    assert_eq!(errno(fs::File::create(&there_is_no)), Some(Errno::EPERM));
    assert_eq!(errno(fs::remove_file(mounted.node())), Some(Errno::EPERM));
    assert_eq!(errno(fs::write(mounted.attribute("unbind"), "b1.bell")), Some(Errno::ENODEV));
    assert_eq!(errno(fs::write(mounted.attribute("bind"), "b0.bell")), Some(Errno::EBUSY));

    // Many, so that the list needs several replies.
    for number in 0..500 {
        mounted.bus.add_device(&format!("a-device-with-a-rather-long-name.{number}")).unwrap();
    }
    assert_eq!(names("sys/bus/tower/devices").len(), 501);
}

#[test]
fn a_sleeping_read_answers_enodev_at_unbind() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let mut cat = mounted.sh("cat \"$1\"").spawn().unwrap();
    until("cat sleeps", || mounted.bell().rung.has_sleepers());
    // As a user would.
    let mut echo = mounted.sh("echo b0.bell > \"$2\"").spawn().unwrap();
    assert!(reap(&mut echo).success(), "{}", said(&mut echo));
    assert!(!reap(&mut cat).success());
    assert!(said(&mut cat).contains("No such device"), "cat says why");
    assert_eq!(mounted.foundry.removed.load(SeqCst), 1);
    let record = fs::read_to_string(mounted.root.join("sys/devices/tower/b0.bell/last_unplug")).unwrap();
    assert!(record.contains(": 1 in flight, 1 woken, 0 cancelled, "), "{record}");
    assert_eq!(record.lines().count(), 1, "{record}");
}

#[test]
fn poll_wakes_with_err_and_hup_at_unbind() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let poll = |file: &fs::File| {
        let file = file.try_clone().unwrap();
        Background::run(move || {
            let mut fds = [PollFd::new(&file, PollFlags::IN)];
            rustix::event::poll(&mut fds, None).unwrap();
            fds[0].revents()
        })
    };
    let (bell, file) = (mounted.bell(), mounted.open());
    // Two sleepers on one file, both woken by one event.
    let sleepers = [poll(&file), poll(&file)];
    until("both have asked", || bell.polls.load(SeqCst) >= 2);
    (&file).write_all(b"ring").unwrap();
    for sleeper in sleepers {
        assert_eq!(sleeper.get(), PollFlags::IN);
    }
    assert_eq!((&file).read(&mut [0; 8]).unwrap(), 5);

    let asked = bell.polls.load(SeqCst);
    let sleeper = poll(&file);
    until("it has asked", || bell.polls.load(SeqCst) > asked);
    mounted.unbind().unwrap();
    assert_eq!(sleeper.get(), PollFlags::ERR | PollFlags::HUP);
}

#[test]
fn a_killed_client_is_gone_at_once() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    for _ in 0..50 {
        let mut cat = mounted.sh("exec cat \"$1\"").spawn().unwrap();
        until("cat sleeps", || mounted.bell().rung.has_sleepers());
        cat.kill().unwrap();
        assert_eq!(reap(&mut cat).signal(), Some(9));
        until("its file is released", || mounted.bus.nodes("b0.bell")[0].open_files() == 0);
    }
}

#[test]
fn an_interrupted_read_returns() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let script = "trap 'echo trapped' USR1; read line < \"$1\"; echo \"read ended\"";
    let mut shell = mounted.sh(script).spawn().unwrap();
    until("the shell sleeps", || mounted.bell().rung.has_sleepers());
    let pid = rustix::process::Pid::from_child(&shell);
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    reap(&mut shell);
    assert_eq!(said(&mut shell), "trapped\nread ended\n");
}

#[test]
fn the_node_is_gone_after_the_last_close_and_comes_again() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let mut old = mounted.open();
    mounted.unbind().unwrap();
    assert!(mounted.node().exists());
    assert_eq!(errno(fs::File::open(mounted.node())), Some(Errno::ENODEV));
    assert_eq!(errno(old.read(&mut [0; 8])), Some(Errno::ENODEV));
    assert!(old.metadata().is_ok());
    assert!(!mounted.attribute("b0.bell").exists());

    fs::write(mounted.attribute("bind"), "b0.bell").unwrap();
    assert_eq!(errno(old.write(b"ring")), Some(Errno::ENODEV));
    let fresh = mounted.root.join("dev/bell1");
    fs::write(&fresh, "ring").unwrap();
    assert_eq!(*mounted.bell().rings.lock().unwrap(), 1);

    drop(old);
    until("the old node is gone", || !mounted.node().exists());
    mounted.unbind().unwrap();
    until("the new one too", || fs::read_dir(mounted.root.join("dev")).unwrap().count() == 0);
    fs::write(mounted.attribute("bind"), "b0.bell").unwrap();
    assert!(mounted.node().exists());
}

#[test]
fn others_may_use_nodes_but_not_unbind() {
    if !is_root() {
        skip("only root becomes another user: run it as root");
        return;
    }
    let is_mapped = Process::new("true").uid(65534).gid(65534).status();
    if let Err(error) = is_mapped {
        skip(&format!("no user nobody in this namespace: {error}"));
        return;
    }
    let as_nobody = |mounted: &Mounted, script| {
        let mut child = mounted.sh(script).uid(65534).gid(65534).spawn().unwrap();
        (reap(&mut child).success(), said(&mut child))
    };
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    assert!(!as_nobody(&mounted, "echo ring > \"$1\"").0);
    drop(mounted);

    let Some(mounted) = Mounted::new(Options::new().allow_other(true)) else { return };
    assert_eq!(as_nobody(&mounted, "echo ring > \"$1\" && head -c5 \"$1\""), (true, "ding\n".into()));
    let (success, text) = as_nobody(&mounted, "echo b0.bell > \"$2\"");
    assert!(!success && text.contains("Permission denied"), "{text}");
    assert!(!mounted.bell().lifetime.is_unplugged());
}

#[test]
fn mappings_see_what_is_published() {
    use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
    for wanted in [Mmap::Passthrough, Mmap::PageCache, Mmap::None] {
        let Some(mounted) = Mounted::new(Options::new().mmap(wanted)) else { return };
        if mounted.server.mmap() != wanted {
            skip(&format!("{wanted:?}: {}", mounted.server.mmap_reason()));
            continue;
        }
        let (file, second) = (mounted.open(), mounted.open());
        fill(&file, 1);
        let (access, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        let map = |file: &fs::File| {
            // SAFETY: A new mapping.
            unsafe { mmap(std::ptr::null_mut(), MEMORY, access, flags, file, 0) }.map(<*mut _>::cast::<u8>)
        };
        if wanted == Mmap::None {
            assert_eq!(map(&file).err(), Some(rustix::io::Errno::NODEV));
            continue;
        }
        let maps = [map(&file).unwrap(), map(&second).unwrap()];
        let seen = || {
            let at = |offset| {
                maps.map(|map| {
                    // SAFETY: It lies in the mapping; the device writes it in its own time.
                    unsafe { map.add(offset).read_volatile() }
                })
            };
            [at(0), at(4095), at(4096), at(MEMORY - 1)].concat()
        };
        assert_eq!(seen(), [1; 8], "{wanted:?}");
        for byte in 2..20 {
            fill(&file, byte);
            assert_eq!(seen(), [byte; 8], "{wanted:?}");
        }
        // What a client writes, others see.
        // SAFETY: It lies in the mapping.
        unsafe { maps[0].add(5000).write_volatile(77) };
        // SAFETY: It lies in the mapping.
        assert_eq!(unsafe { maps[1].add(5000).read_volatile() }, 77);

        // A mapping outlives unplug and close.
        drop((file, second));
        mounted.unbind().unwrap();
        assert_eq!(seen(), [19; 8], "{wanted:?}");
        for map in maps {
            // SAFETY: Nothing refers to it any more.
            unsafe { munmap(map.cast(), MEMORY) }.unwrap();
        }
        until("the node is gone", || !mounted.node().exists());
        fs::write(mounted.attribute("bind"), "b0.bell").unwrap();
        let file = mounted.open();
        fill(&file, 3);
        // SAFETY: A new mapping of a new node.
        let fresh = map(&file).unwrap();
        // SAFETY: It lies in the mapping.
        assert_eq!(unsafe { fresh.read_volatile() }, 3);
        // SAFETY: Nothing refers to it any more.
        unsafe { munmap(fresh.cast(), MEMORY) }.unwrap();
    }
}

#[test]
fn a_killed_unbind_goes_on_in_the_background() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let bell = mounted.bell();
    let wedged = wedge(mounted.open());
    until("the ioctl is wedged", || *bell.wedged.lock().unwrap() == 1);
    let mut writers = [(); 2].map(|()| mounted.sh("trap : USR1; echo b0.bell > \"$2\"").spawn().unwrap());
    until("unplug has begun", || bell.lifetime.is_unplugged());
    // A harmless signal first: the kernel tells of no other.
    for writer in &writers {
        until("the shell catches the signal", || {
            let status = fs::read_to_string(format!("/proc/{}/status", writer.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
            u64::from_str_radix(caught, 16).unwrap() & 1 << 9 != 0
        });
        let pid = rustix::process::Pid::from_child(writer);
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    for writer in &mut writers {
        assert!(writer.try_wait().unwrap().is_none(), "a harmless signal ends no wait");
        writer.kill().unwrap();
        assert_eq!(reap(writer).signal(), Some(9), "with the removal under way");
    }
    assert_eq!(mounted.foundry.removed.load(SeqCst), 0);
    assert!(mounted.attribute("b0.bell").exists());
    *bell.wedged.lock().unwrap() = 0;
    bell.unwedged.notify_all();
    assert_eq!(wedged.get(), Ok(()));
    until("the removal is done", || mounted.foundry.removed.load(SeqCst) == 1);
    until("the link is gone", || !mounted.attribute("b0.bell").exists());
}

#[test]
fn many_sleepers_are_served_at_once() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let reads: Vec<_> = (0..64)
        .map(|_| {
            let node = mounted.node();
            Background::run(move || errno(fs::File::open(node).and_then(|mut file| file.read(&mut [0; 8]))))
        })
        .collect();
    until("all are in flight", || mounted.bell().reads.load(SeqCst) == 64);
    mounted.unbind().unwrap();
    for read in reads {
        assert_eq!(read.get(), Some(Errno::ENODEV));
    }
    until("the node is gone", || !mounted.node().exists());
}

#[test]
fn what_is_missing_is_said_in_one_line() {
    let bus = Bus::new("tower", Devices::new());
    let error = Server::mount("/nonexistent/mount/point", &bus, Options::new()).unwrap_err().to_string();
    assert!(error.contains("mkdir -p /nonexistent/mount/point") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_device_is_removed_from_its_bus_and_found_again() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let device = mounted.root.join("sys/devices/tower/b0.bell");
    let write = |path: &std::path::Path, text: &str| fs::write(path, text).err().map(Errno::from);
    let (remove, rescan) = (device.join("remove"), mounted.root.join("sys/bus/tower/rescan"));
    for (path, text, told) in [(&remove, "yes", Some(Errno::EINVAL)), (&remove, "0\n", None), (&rescan, "1\n", None)] {
        assert_eq!(write(path, text), told, "{text:?} > {path:?}");
        assert!(mounted.node().exists(), "{text:?} > {path:?}");
    }
    assert_eq!(write(&remove, "1\n"), None);
    assert!(!mounted.node().exists() && !device.exists());
    assert_eq!(write(&mounted.root.join("sys/bus/tower/drivers/bells/bind"), "b0.bell"), Some(Errno::ENODEV));
    assert_eq!(write(&rescan, "0\n"), None);
    assert!(!device.exists());
    assert_eq!(write(&rescan, "1\n"), None);
    assert!(mounted.node().exists() && device.exists());
}

#[test]
fn a_harmless_signal_does_not_fail_an_unbind() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let bell = mounted.bell();
    // An operation that is inside for a while, and a writer that does not try again by itself.
    let wedged = wedge(mounted.open());
    until("the operation is inside", || *bell.wedged.lock().unwrap() > 0);
    let script = "exec perl -e '$SIG{USR1} = sub { print \"trapped \" }; $| = 1; open(F, \">\", $ARGV[0]) or die; \
                  print defined(syswrite(F, \"b0.bell\")) ? \"unbound\" : $!' \"$2\"";
    let mut writer = mounted.sh(script).spawn().unwrap();
    until("unplug has begun", || bell.lifetime.is_unplugged());
    let pid = rustix::process::Pid::from_child(&writer);
    rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    // Longer than the host would wait if it could not tell which signal that was.
    std::thread::sleep(std::time::Duration::from_millis(900));
    *bell.wedged.lock().unwrap() = 0;
    bell.unwedged.notify_all();
    reap(&mut writer);
    let text = said(&mut writer);
    if text.contains("not found") {
        return skip("there is no perl: install it");
    }
    assert_eq!(text, "trapped unbound");
    let _ = wedged.get();
}
