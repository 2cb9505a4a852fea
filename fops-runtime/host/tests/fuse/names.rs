//! Names of nodes that come and go, as devtmpfs has them; and data that passes by the driver.
use super::client::Client;
use super::mounted::*;
use super::skip::skip;
use fops_host::fuse::{Mmap, Options};
use fops_runtime::Errno;
use rustix::fs::{Mode, OFlags};
use std::fs::{self, File};
use std::os::fd::OwnedFd;

fn path_to(mounted: &Mounted) -> OwnedFd {
    rustix::fs::open(mounted.node(), OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap()
}

#[test]
fn a_descriptor_of_a_node_that_is_gone_can_be_asked_for_its_attributes() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let old = path_to(&mounted);
    let before = rustix::fs::fstat(&old).unwrap();
    mounted.unbind().unwrap();
    let after = rustix::fs::fstat(&old).unwrap();
    assert_eq!((after.st_ino, after.st_mode, after.st_nlink), (before.st_ino, before.st_mode, 0));
    assert_eq!(errno(fs::metadata(mounted.node())), Some(Errno::ENOENT));
    // Its name is another's now.
    fs::write(mounted.attribute("bind"), "b0.bell").unwrap();
    assert_ne!(rustix::fs::stat(mounted.node()).unwrap().st_ino, before.st_ino);
    let again = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&old));
    assert_eq!(errno(File::open(again)), Some(Errno::ENODEV));
}

#[test]
fn a_rewound_directory_lists_what_there_is_now() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let open = rustix::fs::open(mounted.root.join("dev"), OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut directory = rustix::fs::Dir::new(open).unwrap();
    let mut names = || {
        directory.rewind();
        let names = directory.by_ref().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["bell0"]);
    mounted.unbind().unwrap();
    assert_eq!(names(), [""; 0]);
    fs::write(mounted.attribute("bind"), "b0.bell").unwrap();
    assert_eq!(names(), ["bell0"]);
}

#[test]
fn bind_brings_the_same_name_back() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let script = "cd \"${2%/*}\"; for i in $(seq 100); do \
                  sleep 0 3<> \"$1\"; exec 4<> \"$1\"; echo b0.bell > unbind; exec 4<&-; echo b0.bell > bind; \
                  test -e \"$1\" || echo \"$i: $(ls \"${1%/*}\")\"; done";
    let mut shell = mounted.sh(script).spawn().unwrap();
    reap(&mut shell);
    assert_eq!(said(&mut shell), "");
}

#[test]
fn no_data_passes_by_the_driver() {
    for mmap in [Mmap::Passthrough, Mmap::PageCache] {
        let Some(mounted) = Mounted::new(Options::new().mmap(mmap)) else { return };
        if mounted.server.mmap() != mmap {
            skip(&format!("{mmap:?}: {}", mounted.server.mmap_reason()));
            continue;
        }
        let out = tempfile::tempfile().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let refused = |file: &File, when: &str| {
            let sent = rustix::fs::sendfile(&out, file, None, 8192);
            assert_eq!(sent, Err(rustix::io::Errno::INVAL), "sendfile {when}, {mmap:?}");
            let sent = rustix::fs::copy_file_range(file, None, &out, None, 8192);
            // Both have programs fall back to read(2).
            assert!(
                matches!(sent, Err(rustix::io::Errno::INVAL | rustix::io::Errno::XDEV)),
                "copy_file_range {when}, {mmap:?}: {sent:?}"
            );
            // A file with the page cache mapped is the exception that the documentation tells of.
            if mmap == Mmap::Passthrough {
                let flags = rustix::pipe::SpliceFlags::empty();
                let sent = rustix::pipe::splice(file, None, &writer, None, 4096, flags);
                assert_eq!(sent, Err(rustix::io::Errno::INVAL), "splice {when}");
            }
        };
        let file = mounted.open();
        fill(&file, 7);
        refused(&file, "before");
        mounted.unbind().unwrap();
        refused(&file, "after unplug");
        drop(reader);
        let uevent = File::open(mounted.root.join("sys/devices/tower/b0.bell/uevent")).unwrap();
        assert_eq!(rustix::fs::sendfile(&out, &uevent, None, 4096), Err(rustix::io::Errno::INVAL));
    }
}

/// A server that has its own node open, and ends: if the close asked for something, nobody would answer.
pub(crate) fn serve_oneself() {
    let Some(mounted) = Mounted::new(Options::new()) else { return println!("client says no") };
    let file = mounted.open();
    println!("client says {}", mounted.root.display());
    std::mem::forget((file, mounted));
    std::process::exit(0);
}

#[test]
fn a_server_ends_with_its_own_node_open() {
    let mut server = Client::start_by(&mut Client::command(), "oneself");
    let root = server.line();
    if root == "no" {
        return skip("the server has no mount");
    }
    assert!(reap(&mut server.child).success());
    let _ = rustix::mount::unmount(root.as_str(), rustix::mount::UnmountFlags::DETACH);
    fs::remove_dir(root).unwrap();
}
