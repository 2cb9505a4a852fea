//! On nodes, with a process for each act. The mount is gone at every ending.
use crate::prelude::*;

const ADD_ONE: Command = Command::new(Direction::ReadWrite, b'S', 1, 1);

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    never: WaitQueue,
    own: (Mutex<()>, Condvar),
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, _: UserSliceWriter<'_>) -> Result<usize> {
        // As a driver does that takes only other processes seriously.
        if self.is_wrong && Request::current().client().is_some() {
            drop(self.own.1.wait_while(self.own.0.lock().unwrap(), |()| true).unwrap());
        }
        Ok(hw.wait_event(&self.never, || None)?)
    }

    fn poll(&self, _: &File, table: &PollTable<'_>) -> PollEvents {
        table.wait(&self.never);
        PollEvents::EMPTY
    }

    fn ioctl(&self, #[access] _: &Access<'_, Registers>, _: &File, _: Command, mut arg: IoctlArg<'_>) -> Result<i32> {
        let [byte] = arg.read()?;
        arg.write(&[byte + 1])?;
        Ok(0)
    }
}

fn sensor(is_wrong: bool) -> Hotplug<impl Driver> {
    hotplug(move |hardware| {
        let (lifetime, never) = (DeviceLifetime::new(hardware.map()?), WaitQueue::new());
        Ok(Arc::new(Sensor { lifetime, is_wrong, never, own: Default::default() }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .act("polls", |node| node.open()?.poll(PollEvents::IN))
    .act("asks", |node| {
        let mut byte = [6];
        node.open()?.ioctl(ADD_ONE, &mut byte)?;
        assert_eq!(byte, [7]);
        Ok(())
    })
    .on_nodes()
}

fn report(is_wrong: bool) -> Report {
    sensor(is_wrong).run()
}

/// Whether the nodes of this process are mounted. `None` where it cannot be known.
#[cfg(all(feature = "fuse", target_os = "linux"))]
fn is_mounted(pid: u32) -> Option<bool> {
    Some(std::fs::read_to_string("/proc/self/mountinfo").ok()?.contains(&format!("/fops-testkit-{pid}-")))
}

#[test]
fn right() {
    let report = report(false);
    report.assert();
    let text = report.to_string();
    assert!(text.contains("hotreplug-lateclose on nodes") || text.contains("not run: "), "{report}");
    println!("{report}");
}

#[test]
fn wrong() {
    let report = report(true);
    if report.to_string().contains("not run: ") {
        return println!("{report}");
    }
    let finding = finds(&report, "unplug waits for Sensor::read (");
    assert!(finding.scenario.contains(" on nodes, with \"a read sleeps\" in flight"), "{finding}");
}

#[cfg(all(feature = "fuse", target_os = "linux"))]
mod endings {
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Command, id};
    use std::time::{Duration, Instant};

    /// It aborts while its nodes are mounted.
    #[test]
    fn dies() {
        if std::env::var_os("FOPS_DIES").is_some() {
            let aborts = |_: &_| {
                if is_mounted(id()) == Some(true) {
                    std::process::abort()
                }
            };
            let _ = sensor(false).disturb(aborts).run();
        }
    }

    #[test]
    fn a_test_that_dies_leaves_no_mount() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let command = command.args(["on_nodes::endings::dies", "--exact", "--test-threads=1"]).env("FOPS_DIES", "");
        let mut child = command.spawn().unwrap();
        let (pid, status) = (child.id(), child.wait().unwrap());
        if status.signal().is_none() {
            return assert!(status.success(), "nodes cannot be served here");
        }
        let began = Instant::now();
        while is_mounted(pid) == Some(true) && began.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(is_mounted(pid), Some(false));
    }
}
