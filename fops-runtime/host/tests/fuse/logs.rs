//! A log that cannot be written keeps nobody waiting, and loses nothing else.
use super::bell::*;
use super::client::Client;
use super::mounted::*;
use super::skip::skip;
use rustix::ioctl::NoArg;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What the environment says is wrong with the log.
struct Broken(String);

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.as_str() {
            "panics" => panic!("no log"),
            "hangs" => loop {
                std::thread::park();
            },
            _ => Ok(bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives this process such a log.
pub(crate) fn break_log() {
    let Ok(how) = std::env::var("FOPS_LOG") else { return };
    // The hook that is there by default writes to the standard error stream itself.
    std::panic::set_hook(Box::new(|_| {}));
    tracing_subscriber::fmt().with_writer(move || Broken(how.clone())).init();
}

fn an_unplug_does_not_mind_a_log_that(how: &str) {
    let mut server = Client::start_by(Client::command().env("FOPS_LOG", how), "serve");
    let root = server.line();
    if root == "no" {
        return skip("the server has no mount");
    }
    let root = Path::new(&root);
    let file = File::options().read(true).write(true).open(root.join("dev/bell0")).unwrap();
    // More lines than are kept.
    let panics = Background::run({
        let file = file.try_clone().unwrap();
        move || {
            // SAFETY: `PANIC` has no argument.
            let panic = || unsafe { rustix::ioctl::ioctl(&file, NoArg::<PANIC>::new()) };
            (0..3000).all(|_| panic() == Err(rustix::io::Errno::IO))
        }
    });
    assert!(panics.get());
    let unbind = root.join("sys/bus/tower/drivers/bells/unbind");
    assert!(Background::run(move || fs::write(unbind, "b0.bell")).get().is_ok());
    drop(file);
    server.tell("");
    assert!(reap(&mut server.child).success());
}

#[test]
fn panics() {
    an_unplug_does_not_mind_a_log_that("panics");
}

#[test]
fn hangs() {
    an_unplug_does_not_mind_a_log_that("hangs");
}
