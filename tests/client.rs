//! One client of a test: a process on a real node. It tells the test how it fares on standard output.
use std::io::{Read as _, stdin};
use std::path::Path;
use std::sync::mpsc::channel;
use std::{fs, thread};
use system_tests::{Act, RealNode};

fn main() {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let [act, path] = &args[..] else { panic!("usage: fops-client ACT NODE") };
    let act = Act::parse(act).unwrap_or_else(|| panic!("there is no act {act}"));
    let (release, released) = channel::<()>();
    // The test closes the pipe when it is to go on.
    thread::spawn(move || {
        let _ = stdin().read_to_end(&mut Vec::new());
        drop(release);
    });
    let here = fs::read_link("/proc/thread-self").expect("proc is mounted");
    match act.run(&RealNode(Path::new(path).into()), || println!("ready {}", here.display()), &released) {
        Ok(end) => println!("end {end}"),
        Err(errno) => println!("failed {}", errno.raw()),
    }
}
