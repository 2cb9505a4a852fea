//! An operation that blocks in a system call, which unplug cannot end.
#![cfg(target_os = "linux")]
use crate::prelude::*;
use std::io::Read as _;
use std::os::unix::net::UnixStream;

struct Sensor {
    lifetime: DeviceLifetime<Registers>,
    is_wrong: bool,
    /// The other end says nothing.
    ends: (UnixStream, UnixStream),
}

#[guarded_fops(lifetime = lifetime, unplug())]
impl FileOperations for Sensor {
    type Open = ();

    fn open(&self, _: &File) -> Result {
        Ok(())
    }

    fn read(&self, #[access] hw: &Access<'_, Registers>, _: &File, mut buf: UserSliceWriter<'_>) -> Result<usize> {
        if !self.is_wrong {
            hw.wait_fd(&self.ends.0, PollEvents::IN, None)?;
        }
        let mut byte = [0];
        (&self.ends.0).read_exact(&mut byte)?;
        buf.write_slice(&byte)
    }
}

fn report(is_wrong: bool) -> Report {
    hotplug(move |hardware| {
        let lifetime = DeviceLifetime::new(hardware.map()?);
        Ok(Arc::new(Sensor { lifetime, is_wrong, ends: UnixStream::pair()? }))
    })
    .act("a read sleeps", |node| node.open()?.read(&mut [0]))
    .run()
}

#[test]
fn wrong() {
    let finding = finds(&report(true), "unplug cannot end Sensor::read (");
    assert!(
        finding.problem.contains("sleeps in recvfrom(2)") || finding.problem.contains("sleeps in read(2)"),
        "{finding}"
    );
    assert!(finding.help.contains("with_cancellation"), "{finding}");
}

#[test]
fn right() {
    report(false).assert();
}
