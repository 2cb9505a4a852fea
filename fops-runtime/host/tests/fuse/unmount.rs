//! Unmounting, from here and from outside, with files open and operations that hang.
use super::mounted::*;
use super::skip::skip;
use fops_host::fuse::{MountError, Options, Server};
use fops_runtime::Errno;
use std::fs;
use std::io::{ErrorKind, Read};
use std::process::Command as Process;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;

#[test]
fn unmounting_hangs_nobody() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let bell = mounted.bell();
    let mut idle = mounted.open();
    let mut cat = mounted.sh("exec cat \"$1\"").spawn().unwrap();
    until("cat sleeps", || bell.rung.has_sleepers());
    let server = mounted.server.path().to_owned();
    mounted.server.unmount();
    assert!(!reap(&mut cat).success());
    let gone = errno(idle.read(&mut [0; 8]));
    assert!(matches!(gone.map(Errno::raw), Some(103 | 107)), "ECONNABORTED or ENOTCONN: {gone:?}");
    assert_eq!(fs::read_dir(server).unwrap().count(), 0);
    until("all files are released", || mounted.foundry.released.load(SeqCst) == 2);
}

#[test]
fn unmounting_does_not_wait_for_what_hangs() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let (bell, mut idle) = (mounted.bell(), mounted.open());
    let wedged = wedge(mounted.open());
    until("the ioctl is wedged", || *bell.wedged.lock().unwrap() == 1);
    let mut cat = mounted.sh("exec cat \"$1\"").spawn().unwrap();
    until("cat sleeps", || bell.rung.has_sleepers());
    mounted.server.unmount();
    assert!(!reap(&mut cat).success());
    assert!(idle.read(&mut [0; 8]).is_err());
    assert!(wedged.get().is_err());
    *bell.wedged.lock().unwrap() = 0;
    bell.unwedged.notify_all();
    until("all files are released", || mounted.foundry.released.load(SeqCst) == 3);
}

#[test]
fn unmounted_from_outside_the_server_ends() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let tool = if is_root() { ["umount", "-l"] } else { ["fusermount3", "-uz"] };
    let status = Process::new(tool[0]).arg(tool[1]).arg(&mounted.root).status();
    match status {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return skip(&format!("there is no {}: install it", tool[0]));
        }
        status => assert!(status.unwrap().success()),
    }
    let mounted = Arc::new(mounted);
    Background::run({
        let mounted = mounted.clone();
        move || mounted.server.wait()
    })
    .get();
}

#[test]
fn a_directory_in_use_is_refused() {
    let Some(mounted) = Mounted::new(Options::new()) else { return };
    let error = Server::mount(&mounted.root, &mounted.bus, Options::new()).unwrap_err();
    assert!(matches!(error, MountError::InUse(_)), "{error}");
    assert!(mounted.node().exists());
    let root = mounted.root.clone();
    drop(mounted);
    assert!(!root.exists(), "it was unmounted once, and is empty");
}

#[test]
fn what_is_unmounted_is_what_was_mounted() {
    if !is_root() {
        return skip("only root unmounts by itself: run it as root");
    }
    let base = tempfile::Builder::new().prefix("fops-swap-").tempdir().unwrap().keep();
    fs::create_dir_all(base.join("a/root")).unwrap();
    let Some(victim) = Mounted::new(Options::new()) else { return };
    let served = Server::mount(base.join("a/root"), &victim.bus, Options::new()).unwrap();
    // As the owner of the directory above may do.
    fs::rename(base.join("a"), base.join("b")).unwrap();
    fs::create_dir(base.join("a")).unwrap();
    std::os::unix::fs::symlink(&victim.root, base.join("a/root")).unwrap();
    served.unmount();
    assert!(victim.node().exists(), "another's directory was unmounted");
    assert_eq!(fs::read_dir(base.join("b/root")).unwrap().count(), 0, "our own is still mounted");
    fs::remove_dir_all(base).unwrap();
}
